"""``POST /api/moderation/submissions``: accept an upload, return its verdict or its id.

``…/image`` takes one picture as the body, ``…/text`` takes JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from flask import Blueprint

from models.capacity import mode
from models.database.connection import release
from models.settings import get_settings
from webapp.api.keys import client_of_request
from webapp.api.status import answer
from webapp.http.body_limits import UPLOAD, Body, accepts
from webapp.http.timing import elapsed, measured
from webapp.limits import adaptive_limit
from webapp.uploads import admission
from webapp.uploads.concurrency_limit import upload_slot
from webapp.uploads.decision_waiter import until_decided
from webapp.uploads.fields import MOST_JSON
from webapp.uploads.parse import Incoming, receive, receive_image, receive_text

RESPONSE_TIME = 0.1  # seconds from the end of the wait to the last byte, on a busy machine


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/submissions", view_func=submit, methods=["POST"])
    blueprint.add_url_rule(f"{url}/submissions/image", view_func=submit_image, methods=["POST"])
    blueprint.add_url_rule(f"{url}/submissions/text", view_func=submit_text, methods=["POST"])


@accepts(UPLOAD)
def submit() -> tuple[dict[str, Any], int]:
    """Accept an upload."""
    return _submit(receive)


@accepts(UPLOAD)
def submit_image() -> tuple[dict[str, Any], int]:
    """Accept one picture as the body; the other fields are in the query."""
    return _submit(receive_image)


@accepts(Body(size=MOST_JSON))
def submit_text() -> tuple[dict[str, Any], int]:
    """Accept texts as JSON, as ``submit`` does too: a generator wants one media type a call."""
    return _submit(receive_text)


def _submit(receive: Callable[[], Incoming]) -> tuple[dict[str, Any], int]:
    """Accept an upload; wait for its verdict in the modes sync and direct."""
    client = client_of_request()
    admission.require_room()
    adaptive_limit.require_upload(client)
    key = admission.idempotency_key()
    with ExitStack() as held:
        with upload_slot(client):
            incoming = receive()
            how = held.enter_context(admission.chosen_mode(client, incoming))
            row = admission.admit(client, incoming, key, how)
            release()
        if how in (mode.SYNC, mode.DIRECT) and not row.is_decided:
            # The timeout covers the whole request: the time so far, and that of the response.
            left = get_settings().sync_timeout - RESPONSE_TIME - elapsed()
            with measured("wait"):
                row = until_decided(row.id, client.id, left)
                row.client = client
    return answer(row, fresh=how == mode.ASYNC)
