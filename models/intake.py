"""Taking a submission in: one transaction before the client hears that it was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from models import submission
from models.db import db
from models.decision import Decision, follow
from models.finding import FindingRow
from models.image import Image
from models.submission import Submission
from models.verdict import Judgement


def accept(
    values: dict[str, Any], images: Sequence[dict[str, Any]], judgement: Judgement | None = None
) -> bool:
    """Commit a new submission, its images and, where fast rules answered, their judgement.

    Returns False, with nothing written, where its idempotency key was taken.
    """
    with db.atomic():
        if not submission.insert(values):
            return False
        if images:
            Image.insert_many(images).execute()
        if judgement is not None:
            _record(values, images, judgement)
    return True


def _record(values: dict[str, Any], images: Sequence[dict[str, Any]], judgement: Judgement) -> None:
    row = Submission.get_by_id(values["id"])
    if judgement.findings:
        positions = {image["position"]: image["id"] for image in images}
        FindingRow.replace_of(row.id, judgement.findings, positions)
    label = judgement.findings[0].label if judgement.findings else ""
    Decision.append(row, None, reason=label)
    follow(row, None)


def now() -> Any:
    """The database's time, as a value to store."""
    return peewee.fn.now()
