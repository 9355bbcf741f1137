"""``POST /api/moderation/detect``: the classifier's score of pictures that are not stored."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from uuid_utils.compat import uuid7

from models.database.connection import release
from models.errors import Invalid, TooLarge, Unavailable, Unsupported
from tasks.load.response_counts import counter
from tasks.moderation import detect as detection
from webapp.api.keys import client_of_request
from webapp.http.body_limits import UPLOAD, accepts
from webapp.http.timing import measured
from webapp.limits import adaptive_limit, limits
from webapp.limits.limits import Uploader
from webapp.uploads.admission import require_room
from webapp.uploads.concurrency_limit import upload_slot
from webapp.uploads.parse import receive_images

LONGEST_WAIT = 20
ERRORS = {"too_large": TooLarge, "unsupported": Unsupported}


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/detect", view_func=detect, methods=["POST"])


@accepts(UPLOAD)
def detect() -> ResponseReturnValue:
    """Have a worker score the pictures; the end of the request deletes the files."""
    client = client_of_request()
    require_room()
    adaptive_limit.require_detect(client)
    with upload_slot(client):
        uploads = receive_images()
        limits.count_alone(Uploader(client.id, None, None, sum(each.size for each in uploads)))
        counter.upload(client.id)
        release()
    with measured("wait"):
        ticket = detection.ask(uuid7().hex, [upload.key for upload in uploads], client)
        results = detection.wait(ticket, LONGEST_WAIT)
    if results is None:
        raise Unavailable(f"No worker responded within {LONGEST_WAIT} s.", retry_after=10)
    return jsonify([_checked(position, result) for position, result in enumerate(results)])


def _checked(position: int, result: dict[str, Any]) -> dict[str, Any]:
    """The worker's result; raises the domain's error that it reports."""
    if "error" not in result:
        return {"doubts": [], **result}  # a worker of the release before sends none
    if result["code"] == "classifier_down":  # the error is for operators: it may name files
        raise Unavailable("The classifier is not available. Try again later.", retry_after=30)
    if result["code"] == "gone":
        raise Unavailable(result["error"], retry_after=30)
    error = ERRORS.get(result["code"], Invalid)
    raise error(f"Picture {position + 1}: {result['error']}", field="images")
