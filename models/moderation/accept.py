"""Commit new submissions, before their clients get the response that they were accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.clients.client import Client
from models.database.connection import db, rows_sql
from models.moderation.decision import follow
from models.submissions import finding
from models.submissions.submission import Submission
from models.verdict import REJECTED, Judgement

# The columns that an upload sets; the other columns have defaults.
SUBMISSION = {
    "id": "uuid",
    "client_id": "bigint",
    "user_id": "text",
    "external_id": "text",
    "surface": "text",
    "title": "text",
    "description": "text",
    "ip_hash": "bytea",
    "priority": "text",
    "mode": "text",
    "status": "text",
    "verdict": "text",
    "visible": "boolean",
    "review_owed": "boolean",
    "debt_risk": "smallint",
    "reasons": "jsonb",
    "policy_version": "bigint",
    "idempotency_key": "text",
    "fingerprint": "bytea",
    "request_id": "text",
    "traceparent": "text",
}
IMAGE = {
    "submission_id": "uuid",
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
DECISION = {"submission_id": "uuid", "to_verdict": "text", "reason": "text"}


@dataclass(frozen=True, slots=True)
class Entry:
    """An upload that is to be committed: its row, its images, and the fast rules' judgement."""

    client: Client
    values: Mapping[str, Any]
    images: Sequence[Mapping[str, Any]]
    judgement: Judgement | None = None

    @property
    def id(self) -> UUID:
        """The submission's id."""
        submission_id: UUID = self.values["id"]
        return submission_id

    @property
    def has_consequences(self) -> bool:
        """Whether its judgement is a strike, or an event that is owed to the client."""
        return self.judgement is not None and (
            self.judgement.verdict == REJECTED or bool(self.client.webhook_url)
        )


def accept(entries: Sequence[Entry]) -> dict[UUID, datetime]:
    """Commit new submissions, all or none; returns when each was received that was accepted, by id.

    A submission whose idempotency key is taken is not accepted, and nothing is written for it.
    Requests with the same key may run at once: the unique index accepts one of them.
    """
    consequences = [entry for entry in entries if entry.has_consequences]
    if not consequences:
        return _insert(entries)
    with db.atomic():
        accepted = _insert(entries)
        for entry in consequences:
            if entry.id in accepted:
                follow(submission_of(entry, accepted[entry.id]), None)
    return accepted


def submission_of(entry: Entry, received_at: datetime) -> Submission:
    """The row of an entry as it was committed."""
    reasons = entry.judgement.reasons if entry.judgement else []
    row = Submission(**{**entry.values, "reasons": reasons, "created_at": received_at})
    row.decided_at = received_at if row.is_decided else None  # one transaction has one time
    row.client = entry.client
    return row


def _insert(entries: Sequence[Entry]) -> dict[UUID, datetime]:
    """Every table in one statement: one round trip and one commit for all entries."""
    parameters: list[Any] = []
    new = rows_sql(
        SUBMISSION, ([e.values[name] for name in SUBMISSION] for e in entries), parameters
    )
    parts = [
        f"WITH new ({', '.join(SUBMISSION)}) AS ({new})",
        f"accepted AS (INSERT INTO submission ({', '.join(SUBMISSION)}, queued_at, decided_at)"
        " SELECT *, CASE WHEN status = 'queued' THEN now() END,"
        " CASE WHEN verdict IS NOT NULL THEN now() END FROM new"
        " ON CONFLICT (client_id, idempotency_key) DO NOTHING RETURNING id, created_at)",
    ]
    followers = (
        ("image", IMAGE, _images(entries)),
        ("finding", finding.COLUMNS, _findings(entries)),
        ("decision", DECISION, _decisions(entries)),
    )
    for table, columns, rows in followers:
        more = rows_sql(columns, rows, parameters)
        if more:
            names = ", ".join(columns)
            parts.append(
                f"{table}s AS (INSERT INTO {table} ({names})"
                f" SELECT more.* FROM ({more}) AS more ({names})"
                " JOIN accepted ON accepted.id = more.submission_id)"
            )
    sql = ", ".join(parts) + " SELECT id, created_at FROM accepted"
    return dict(db.execute_sql(sql, parameters).fetchall())


def _images(entries: Sequence[Entry]) -> Iterable[list[Any]]:
    for entry in entries:
        for image in entry.images:
            yield [entry.id, *(image[name] for name in IMAGE if name != "submission_id")]


def _findings(entries: Sequence[Entry]) -> Iterable[list[Any]]:
    for entry in entries:
        if entry.judgement is not None:
            images = {image["position"]: image["id"] for image in entry.images}
            yield from finding.rows(entry.id, entry.judgement.findings, images)


def _decisions(entries: Sequence[Entry]) -> Iterable[list[Any]]:
    for entry in entries:
        if entry.judgement is not None:
            findings = entry.judgement.findings
            yield [entry.id, entry.judgement.verdict, findings[0].label if findings else ""]
