"""``GET /api/moderation/status/{job_id}``: the state of an upload."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, request

from models.errors import Invalid, NotFound
from models.settings import get_settings
from models.submissions import representation
from models.submissions.submission import Submission
from tasks.load import client_share
from webapp.api.keys import client_of_request
from webapp.uploads.decision_waiter import until_decided

LONGEST_WAIT = 25.0


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/status/<job_id>", view_func=status)


def status(job_id: str) -> tuple[dict[str, Any], int]:
    """The current state of the submission, or with ``wait`` as soon as it is decided.

    Always 200: a verdict that is still pending is not an error of this call.
    """
    client = client_of_request()
    submission_id = number_of(job_id)
    seconds = _wait()
    if seconds:
        row = until_decided(submission_id, client.id, seconds)
    else:
        row = Submission.of_client(submission_id, client.id)
    row.client = client  # so that it is not read again
    return answer(row)[0], 200


def answer(row: Submission, *, fresh: bool = False) -> tuple[dict[str, Any], int]:
    """The submission's document and the HTTP status: 200 if it is decided, else 202.

    ``fresh``: it was just enqueued at the end, so its position is not looked up.
    """
    check_url = f"{get_settings().url}/api/moderation/status/{row.id}"
    common: dict[str, Any] = {"job_id": str(row.id), "status": row.status, "mode": row.mode}
    if row.external_id is not None:
        common["external_id"] = row.external_id
    common |= representation.times_of(row)
    if not row.is_decided:
        wait = (
            client_share.wait_of(row.client, row.priority)
            if fresh
            else client_share.remaining_wait(row)
        )
        return {
            **common,
            "visible": row.visible,
            "estimated_wait": wait,
            "check_url": check_url,
        }, 202
    return {
        **common,
        "verdict": row.verdict,
        "visible": row.visible,
        "review_owed": row.review_owed,
        "reasons": representation.reasons_of(row),
        **representation.judged_of(row),
        "check_url": check_url,
    }, 200


def number_of(text: str) -> UUID:
    """The id of a submission in a URL; raises NotFound if it is not a UUID."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(f"There is no submission {text!r}.") from error


def _wait() -> float:
    text = request.args.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError as error:
        raise Invalid("wait must be a number of seconds.", field="wait") from error
    if not 0 <= seconds <= LONGEST_WAIT:
        raise Invalid(f"wait must be between 0 and {LONGEST_WAIT:g} seconds.", field="wait")
    return seconds
