"""Taking a submission in: committed before the client hears that it was accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from models.db import db
from models.decision import Decision, follow
from models.finding import FindingRow
from models.submission import Submission
from models.verdict import Judgement

# What intake knows of a submission and of an image; their other columns have defaults.
SUBMISSION = {
    "id": "uuid",
    "client_id": "bigint",
    "user_id": "text",
    "external_id": "text",
    "title": "text",
    "description": "text",
    "ip_hash": "bytea",
    "priority": "text",
    "mode": "text",
    "status": "text",
    "verdict": "text",
    "visible": "boolean",
    "review_owed": "boolean",
    "reasons": "jsonb",
    "idempotency_key": "text",
    "fingerprint": "bytea",
}
IMAGE = {
    "id": "uuid",
    "position": "smallint",
    "storage_key": "text",
    "given_name": "text",
    "media_type": "text",
    "bytes": "integer",
    "sha256": "bytea",
    "width": "integer",
    "height": "integer",
}


def accept(
    values: Mapping[str, Any],
    images: Sequence[Mapping[str, Any]],
    judgement: Judgement | None = None,
) -> bool:
    """Commit a new submission, its images and, where fast rules answered, their judgement.

    Returns False, with nothing written, where its idempotency key was taken: two requests with
    one key may run at once, and the unique index lets one of them in.
    """
    if judgement is None:
        return _insert(values, images)
    with db.atomic():
        if not _insert(values, images):
            return False
        _record(values["id"], images, judgement)
    return True


def _insert(values: Mapping[str, Any], images: Sequence[Mapping[str, Any]]) -> bool:
    """Both tables in one statement: one round trip, one commit, and all or nothing."""
    sql, parameters = _sql(len(images)), [values[name] for name in SUBMISSION]
    for image in images:
        parameters += [image[name] for name in IMAGE]
    return bool(db.execute_sql(sql, parameters).fetchone()[0])


def _sql(images: int) -> str:
    """The statement for a submission with so many images."""
    fields = ", ".join(f"%s::{kind}" for kind in SUBMISSION.values())
    statement = (
        f"WITH accepted AS (INSERT INTO submission ({', '.join(SUBMISSION)}, queued_at, decided_at)"
        f" SELECT *, CASE WHEN status = 'queued' THEN now() END,"
        f" CASE WHEN verdict IS NOT NULL THEN now() END"
        f" FROM (VALUES ({fields})) AS new ({', '.join(SUBMISSION)})"
        " ON CONFLICT (client_id, idempotency_key) DO NOTHING RETURNING id)"
    )
    if images:
        row = f"({', '.join(f'%s::{kind}' for kind in IMAGE.values())})"
        rows = ", ".join([row] * images)
        statement += (
            f", stored AS (INSERT INTO image ({', '.join(IMAGE)}, submission_id)"
            f" SELECT new.*, accepted.id FROM accepted, (VALUES {rows}) AS new)"
        )
    return statement + " SELECT count(*) FROM accepted"


def _record(submission_id: UUID, images: Sequence[Mapping[str, Any]], judgement: Judgement) -> None:
    row = Submission.get_by_id(submission_id)
    if judgement.findings:
        positions = {image["position"]: image["id"] for image in images}
        FindingRow.replace_of(row.id, judgement.findings, positions, again=False)
    label = judgement.findings[0].label if judgement.findings else ""
    Decision.append(row, None, reason=label)
    follow(row, None)
