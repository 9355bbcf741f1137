"""The machine's judgement of a claimed submission becomes its verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models import finding
from models.client import Client
from models.db import db, rows_sql
from models.decision import Decision, follow, main_label, write
from models.finding import FindingRow
from models.submission import DECIDED, Submission
from models.verdict import APPROVED, REJECTED, Judgement, Policy


def finish(
    claimed: Submission,
    lease: str,
    judgement: Judgement,
    policy: Policy,
    *,
    images: Mapping[int, UUID],
    owed: bool = False,
) -> Submission | None:
    """Store the judgement; None where the claim was lost.

    Everything is one transaction, and safe against a second worker:
    1. the row must still carry this claim's lease, else nothing is written;
    2. findings, verdict, decision, strike and delivery are committed together or not at all;
    3. a person's verdict is never overwritten: then only the findings are added.
    """
    with db.atomic():
        if claimed.verdict is None:
            return _first(claimed, lease, judgement, policy, images, owed)
        return _again(claimed, lease, judgement, policy, images, owed)


def _first(
    claimed: Submission,
    lease: str,
    judgement: Judgement,
    policy: Policy,
    images: Mapping[int, UUID],
    owed: bool,
) -> Submission | None:
    """The first verdict, by far the most frequent: one statement, and what follows from it."""
    _give(claimed, judgement.verdict, judgement, policy, owed)
    columns = ("verdict", "score", "visible", "review_owed")
    parameters: list[Any] = [getattr(claimed, name) for name in columns]
    parameters += [json.dumps(claimed.reasons), claimed.id, lease]
    found = rows_sql(
        finding.COLUMNS, finding.rows(claimed.id, judgement.findings, images), parameters
    )
    names = ", ".join(finding.COLUMNS)
    parameters += [judgement.verdict, main_label(judgement)]
    row = db.execute_sql(
        "WITH mine AS (UPDATE submission SET status = 'decided', verdict = %s, score = %s,"
        " visible = %s, review_owed = %s, reasons = %s, lease_by = NULL, lease_until = NULL,"
        " error = NULL, decided_at = now(), version = version + 1"
        " WHERE id = %s AND lease_by = %s AND verdict IS NULL RETURNING id)"
        + (
            f", found AS (INSERT INTO finding ({names}) SELECT new.* FROM ({found})"
            f" AS new ({names}) JOIN mine ON mine.id = new.submission_id)"
            if found
            else ""
        )
        + ", decided AS (INSERT INTO decision (submission_id, to_verdict, reason)"
        " SELECT id, %s, %s FROM mine) SELECT id FROM mine",
        parameters,
    ).fetchone()
    if row is None:
        return None
    client: Client = claimed.client
    if claimed.verdict == REJECTED or client.webhook_url:
        follow(claimed, None)
    return claimed


def _again(
    claimed: Submission,
    lease: str,
    judgement: Judgement,
    policy: Policy,
    images: Mapping[int, UUID],
    owed: bool,
) -> Submission | None:
    """The full checks of what fast rules let through, and of what a person may have decided."""
    row = (
        Submission.select()
        .where(Submission.id == claimed.id, Submission.lease_by == lease)
        .for_update()
        .first()
    )
    if row is None:
        return None
    before = row.verdict
    verdict = before if Decision.by_a_person(row.id) else judgement.verdict
    FindingRow.replace_of(row.id, judgement.findings, images)
    _give(row, verdict, judgement, policy, owed)
    row.lease_by, row.error = None, None
    write(row, ("status", "score", "review_owed", "reasons", "lease_by", "error"), before)
    if before != verdict:
        Decision.append(row, before, reason=main_label(judgement))
        follow(row, before)
    return row


def _give(row: Submission, verdict: str, judgement: Judgement, policy: Policy, owed: bool) -> None:
    row.status, row.verdict, row.score = DECIDED, verdict, judgement.score
    row.visible, row.review_owed = policy.shows(verdict) or (owed and verdict == APPROVED), owed
    row.reasons = judgement.reasons if verdict == judgement.verdict else row.reasons
