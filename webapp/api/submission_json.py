"""The JSON document of a submission in API responses."""

from __future__ import annotations

from typing import Any

from models.settings import get_settings
from models.submissions.submission import Submission
from tasks.load import snapshot


def answer(row: Submission, *, fresh: bool = False) -> tuple[dict[str, Any], int]:
    """The submission's document and the HTTP status: 200 if it is decided, else 202.

    ``fresh``: it was just enqueued at the end, so its position is not looked up.
    """
    check_url = f"{get_settings().url}/api/moderation/status/{row.id}"
    common: dict[str, Any] = {"job_id": str(row.id), "status": row.status, "mode": row.mode}
    if row.external_id is not None:
        common["external_id"] = row.external_id
    if not row.is_decided:
        wait = snapshot.estimated_wait(row.priority) if fresh else snapshot.remaining_wait(row)
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
        "reasons": row.reasons,
        "check_url": check_url,
    }, 200
