"""The machine's judgements of claimed submissions become their verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.clients.client import Client
from models.database.connection import db, rows_sql
from models.moderation.decision import Decision, follow, main_label, write
from models.submissions import finding, image
from models.submissions.finding import FindingRow
from models.submissions.submission import DECIDED, Submission
from models.verdict import APPROVED, REJECTED, Judgement, Policy

FIRST = {
    "id": "uuid",
    "lease": "text",
    "verdict": "text",
    "score": "real",
    "visible": "boolean",
    "review_owed": "boolean",
    "reasons": "jsonb",
    "label": "text",
}
LOOKED = {"submission_id": "uuid", "id": "uuid", **image.SEEN}
_NEW = (
    "WITH new ({new_names}) AS ({new}), mine AS (UPDATE submission SET status = 'decided',"
    " verdict = new.verdict, score = new.score, visible = new.visible,"
    " review_owed = new.review_owed, reasons = new.reasons, lease_by = NULL, lease_until = NULL,"
    " error = NULL, decided_at = now(), version = version + 1 FROM new"
    " WHERE submission.id = new.id AND submission.lease_by = new.lease"
    " AND submission.verdict IS NULL RETURNING submission.id)"
)
_FOUND = (
    ", found AS (INSERT INTO finding ({found_names}) SELECT f.* FROM ({found})"
    " AS f ({found_names}) JOIN mine ON mine.id = f.submission_id)"
)
_SEEN = (
    ", seen AS (UPDATE image SET {seen_values},"
    " scored_at = CASE WHEN s.score IS NULL THEN image.scored_at ELSE now() END"
    " FROM ({seen}) AS s ({seen_names}) JOIN mine ON mine.id = s.submission_id"
    " WHERE image.id = s.id)"
)
_DECIDED = (
    ", decided AS (INSERT INTO decision (submission_id, to_verdict, reason)"
    " SELECT new.id, new.verdict, new.label FROM new JOIN mine ON mine.id = new.id)"
    " SELECT id FROM mine"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the work on a claimed submission; ``images`` are its ids by position.

    ``seen`` are columns of its images, by id; ``owed``: a check could not be made.
    """

    claimed: Submission
    judgement: Judgement
    policy: Policy
    images: Mapping[int, UUID] = field(default_factory=dict)
    seen: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)
    owed: bool = False
    again: bool = False  # it had a verdict before: of the fast rules, or of a person
    begun: float = 0.0  # when the work on it began, in seconds of ``time.perf_counter``


def finish(outcomes: Sequence[Outcome], lease: str) -> list[Submission]:
    """Store the judgements; returns the submissions whose claim had held.

    Everything is one transaction, and safe against a second worker:
    1. a row must still carry this claim's lease, else nothing is written of it;
    2. findings, verdict, decision, strike and delivery are committed together or not at all;
    3. a person's verdict is never overwritten: then only the findings are added.
    """
    first = [outcome for outcome in outcomes if not outcome.again]
    if len(first) == len(outcomes) and not any(map(_has_sequel, first)):
        return _first(first, lease)  # one statement commits by itself
    with db.atomic():
        finished = _first(first, lease)
        # In the order of the authors, so that two workers' strikes never wait in a circle.
        for row in sorted(finished, key=lambda row: (row.client_id, row.user_id)):
            if _followed(row):
                follow(row, None)
        again = (_again(outcome, lease) for outcome in outcomes if outcome.again)
        return [*finished, *(row for row in again if row is not None)]


def _has_sequel(outcome: Outcome) -> bool:
    client: Client = outcome.claimed.client
    return outcome.judgement.verdict == REJECTED or bool(client.webhook_url)


def _followed(row: Submission) -> bool:
    client: Client = row.client
    return row.verdict == REJECTED or bool(client.webhook_url)


def _first(outcomes: Sequence[Outcome], lease: str) -> list[Submission]:
    """First verdicts, by far the most frequent: one statement, however many."""
    if not outcomes:
        return []
    parameters: list[Any] = []
    new = rows_sql(FIRST, (_row(outcome, lease) for outcome in outcomes), parameters)
    found = rows_sql(finding.COLUMNS, _findings(outcomes), parameters)
    seen = rows_sql(LOOKED, _looks(outcomes), parameters)
    sql = _NEW + (_FOUND if found else "") + (_SEEN if seen else "") + _DECIDED
    statement = sql.format(
        new=new,
        found=found,
        seen=seen,
        new_names=", ".join(FIRST),
        found_names=", ".join(finding.COLUMNS),
        seen_names=", ".join(LOOKED),
        seen_values=", ".join(f"{name} = coalesce(s.{name}, image.{name})" for name in image.SEEN),
    )
    held = {row[0] for row in db.execute_sql(statement, parameters).fetchall()}
    mine = [outcome for outcome in outcomes if outcome.claimed.id in held]
    for outcome in mine:
        _give(outcome.claimed, outcome.judgement.verdict, outcome)
    return [outcome.claimed for outcome in mine]


def _row(outcome: Outcome, lease: str) -> list[Any]:
    judgement = outcome.judgement
    shown = _shown(judgement.verdict, outcome)
    values = [outcome.claimed.id, lease, judgement.verdict, judgement.score, shown, outcome.owed]
    return [*values, json.dumps(judgement.reasons), main_label(judgement)]


def _findings(outcomes: Iterable[Outcome]) -> Iterator[list[Any]]:
    for outcome in outcomes:
        yield from finding.rows(outcome.claimed.id, outcome.judgement.findings, outcome.images)


def _looks(outcomes: Iterable[Outcome]) -> Iterator[list[Any]]:
    for outcome in outcomes:
        for image_id, seen in outcome.seen.items():
            values = dict(seen)
            if "stills" in values:
                values["stills"] = json.dumps(values["stills"])
            yield [outcome.claimed.id, image_id, *(values.get(name) for name in image.SEEN)]


def _again(outcome: Outcome, lease: str) -> Submission | None:
    """The full checks of what fast rules let through, and of what a person may have decided."""
    row = (
        Submission.select()
        .where(Submission.id == outcome.claimed.id, Submission.lease_by == lease)
        .for_update()
        .first()
    )
    if row is None:
        return None
    before = row.verdict
    judgement = outcome.judgement
    verdict = before if Decision.by_a_person(row.id) else judgement.verdict
    FindingRow.replace_of(row.id, judgement.findings, outcome.images)
    _give(row, verdict, outcome)
    row.lease_by, row.error = None, None
    write(row, ("status", "score", "review_owed", "reasons", "lease_by", "error"), before)
    if before != verdict:
        Decision.append(row, before, reason=main_label(judgement))
        follow(row, before)
    for image_id, seen in outcome.seen.items():
        image.note(image_id, seen)
    return row


def _give(row: Submission, verdict: str, outcome: Outcome) -> None:
    judgement = outcome.judgement
    row.status, row.verdict, row.score = DECIDED, verdict, judgement.score
    row.visible, row.review_owed = _shown(verdict, outcome), outcome.owed
    row.reasons = judgement.reasons if verdict == judgement.verdict else row.reasons


def _shown(verdict: str, outcome: Outcome) -> bool:
    return outcome.policy.shows(verdict) or (outcome.owed and verdict == APPROVED)
