"""``POST /api/moderation/submissions``: send an upload, get its verdict or its job id."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from models import mode
from models.db import release
from webapp import admission, limits
from webapp.api.answers import answer
from webapp.intake import receive
from webapp.keys import client_of_request
from webapp.timing import measured
from webapp.waiting import until_decided


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/submissions", view_func=submit, methods=["POST"])


def submit() -> tuple[dict[str, Any], int]:
    """Take an upload in; wait for its verdict where the mode promises one at once."""
    client = client_of_request()
    admission.require_room()
    limits.hold_back(client.id)
    key = admission.idempotency_key()
    incoming = receive()
    with admission.chosen_mode(incoming) as how:
        row = admission.admit(client, incoming, key, how)
        release()
        if how in (mode.SYNC, mode.DIRECT) and not row.is_decided:
            with measured("wait"):
                row = until_decided(row.id, client.id, current_app.config["SETTINGS"].sync_timeout)
    return answer(row, fresh=how == mode.ASYNC)
