"""``POST /api/moderation/submissions`` and its ``…/image``: an upload in, its verdict or id out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from flask import Blueprint

from models.capacity import mode
from models.database.connection import release
from models.settings import get_settings
from webapp.api.keys import client_of_request
from webapp.api.submission_json import answer
from webapp.http.timing import elapsed, measured
from webapp.limits import limits
from webapp.uploads import admission
from webapp.uploads.concurrency_limit import Line
from webapp.uploads.decision_waiter import until_decided
from webapp.uploads.parse import Incoming, receive, receive_image

_line = Line()


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/submissions", view_func=submit, methods=["POST"])
    blueprint.add_url_rule(f"{url}/submissions/image", view_func=submit_image, methods=["POST"])


def submit() -> tuple[dict[str, Any], int]:
    """Take an upload in."""
    return _submit(receive)


def submit_image() -> tuple[dict[str, Any], int]:
    """Take one picture in that is the body; the other fields are in the address."""
    return _submit(receive_image)


def _submit(receive: Callable[[], Incoming]) -> tuple[dict[str, Any], int]:
    """Take an upload in; wait for its verdict where the mode promises one at once."""
    client = client_of_request()
    admission.require_room()
    limits.hold_back(client.id)
    key = admission.idempotency_key()
    with ExitStack() as held:
        with _in_turn():
            incoming = receive()
            how = held.enter_context(admission.chosen_mode(incoming))
            row = admission.admit(client, incoming, key, how)
            release()
        if how in (mode.SYNC, mode.DIRECT) and not row.is_decided:
            # What it has waited for already counts: the client waits for one answer.
            left = get_settings().sync_timeout - elapsed()
            with measured("wait"):
                row = until_decided(row.id, client.id, left)
    return answer(row, fresh=how == mode.ASYNC)


@contextmanager
def _in_turn() -> Iterator[None]:
    """A place in the line of uploads for the block; ``line`` is the time until it came.

    Who waits there holds no connection: those who have a place need them.
    """
    release()
    with ExitStack() as held:
        with measured("line"):
            held.enter_context(_line.place())
        yield
