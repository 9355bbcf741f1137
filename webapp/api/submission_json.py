"""What a client is told of a submission."""

from __future__ import annotations

from typing import Any

from models.settings import get_settings
from models.submissions.submission import Submission
from tasks.load import snapshot


def answer(row: Submission, *, fresh: bool = False) -> tuple[dict[str, Any], int]:
    """The submission's document, and 200 where it is decided, else 202.

    ``fresh``: it was enqueued just now, behind all others, so that nobody asks for its place.
    """
    check_url = f"{get_settings().url}/api/moderation/status/{row.id}"
    told: dict[str, Any] = {"job_id": str(row.id), "status": row.status, "mode": row.mode}
    if row.external_id is not None:
        told["external_id"] = row.external_id
    if not row.is_decided:
        wait = snapshot.estimated_wait(row.priority) if fresh else snapshot.remaining_wait(row)
        return {
            **told,
            "visible": row.visible,
            "estimated_wait": wait,
            "check_url": check_url,
        }, 202
    return {
        **told,
        "verdict": row.verdict,
        "visible": row.visible,
        "review_owed": row.review_owed,
        "reasons": row.reasons,
        "check_url": check_url,
    }, 200
