"""Commit what workers decided about claimed submissions, if their leases still hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import peewee

from models.clients.client import Client
from models.database.connection import db, rows_sql
from models.moderation.decision import LATER, Decision, follow, main_label, write
from models.submissions import finding, image
from models.submissions.finding import FindingRow
from models.submissions.submission import DECIDED, Submission
from models.verdict import APPROVED, REJECTED, Judgement, Policy
from models.webhooks import delivery

VERDICT_COLUMNS = {
    "id": "uuid",
    "lease": "text",
    "verdict": "text",
    "score": "real",
    "visible": "boolean",
    "review_owed": "boolean",
    "reasons": "jsonb",
    "scores": "jsonb",
    "policy_version": "bigint",
    "label": "text",
}
SEEN_COLUMNS = {"submission_id": "uuid", "id": "uuid", **image.SEEN}
_NEW = (
    "WITH new ({new_names}) AS ({new}), mine AS (UPDATE submission SET status = 'decided',"
    " verdict = new.verdict, score = new.score, visible = new.visible,"
    " review_owed = new.review_owed, reasons = new.reasons, scores = new.scores,"
    " policy_version = new.policy_version, lease_by = NULL, lease_until = NULL,"
    f" error = NULL, decided_at = {LATER}, version = version + 1 FROM new"
    " WHERE submission.id = new.id AND submission.lease_by = new.lease"
    " AND submission.verdict IS NULL RETURNING submission.id, submission.decided_at)"
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
    " SELECT id, decided_at FROM mine"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker decided about a submission that it claimed with ``lease``.

    ``images`` are the ids of its images by position, ``seen`` their new column values by id.
    ``review_owed``: a check could not be made. ``begun_at`` is a time of ``time.perf_counter``.
    """

    submission: Submission
    lease: str
    judgement: Judgement
    policy: Policy
    images: Mapping[int, UUID] = field(default_factory=dict)
    seen: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)
    review_owed: bool = False
    has_verdict: bool = False  # it was claimed with one: of the fast rules, or of a person
    begun_at: float = 0.0


def record_verdicts(outcomes: Sequence[Outcome]) -> list[Submission]:
    """Commit outcomes; returns the submissions whose lease still held.

    Everything is one transaction, and safe beside another worker:
    1. a row must still have the outcome's lease, else nothing is written for it;
    2. findings, verdict, decision, strike and delivery are committed together or not at all;
    3. a person's verdict is never overwritten: then only the findings are stored;
    4. a submission is decided once, even if several outcomes are of the same one: only the first
       counts. A second decision of the machine for a version would also break a unique index, and
       nothing of the transaction would stay.
    """
    outcomes = list({each.submission.id: each for each in reversed(outcomes)}.values())[::-1]
    first = [outcome for outcome in outcomes if not outcome.has_verdict]
    later = [outcome for outcome in outcomes if outcome.has_verdict]
    if not later and not any(
        _has_consequences(each.submission, each.judgement.verdict) for each in first
    ):
        return _record_first(first)  # a single statement is its own transaction
    with db.atomic():
        decided = _record_first(first)
        # In the order of the authors, so that two workers that write strikes cannot deadlock.
        for submission in sorted(decided, key=lambda each: (each.client_id, each.user_id)):
            if _has_consequences(submission, submission.verdict):
                follow(submission, None)
        checked = (_record_later(outcome) for outcome in later)
        return [*decided, *(submission for submission in checked if submission is not None)]


def _has_consequences(submission: Submission, verdict: str) -> bool:
    """Whether the verdict is a strike or is owed to the client."""
    client: Client = submission.client
    return verdict == REJECTED or bool(client.webhook_url)


def _record_first(outcomes: Sequence[Outcome]) -> list[Submission]:
    """First verdicts, by far the most frequent: one statement for any number."""
    if not outcomes:
        return []
    parameters: list[Any] = []
    new = rows_sql(VERDICT_COLUMNS, map(_verdict_row, outcomes), parameters)
    found = rows_sql(finding.COLUMNS, _finding_rows(outcomes), parameters)
    seen = rows_sql(SEEN_COLUMNS, _seen_rows(outcomes), parameters)
    sql = _NEW + (_FOUND if found else "") + (_SEEN if seen else "") + _DECIDED
    statement = sql.format(
        new=new,
        found=found,
        seen=seen,
        new_names=", ".join(VERDICT_COLUMNS),
        found_names=", ".join(finding.COLUMNS),
        seen_names=", ".join(SEEN_COLUMNS),
        seen_values=", ".join(f"{name} = coalesce(s.{name}, image.{name})" for name in image.SEEN),
    )
    held = dict(db.execute_sql(statement, parameters).fetchall())
    committed = [outcome for outcome in outcomes if outcome.submission.id in held]
    for outcome in committed:
        outcome.submission.decided_at = held[outcome.submission.id]
        _set_verdict(outcome.submission, outcome.judgement.verdict, outcome)
    return [outcome.submission for outcome in committed]


def _verdict_row(outcome: Outcome) -> list[Any]:
    judgement = outcome.judgement
    return [
        outcome.submission.id,
        outcome.lease,
        judgement.verdict,
        judgement.score,
        _is_visible(judgement.verdict, outcome),
        outcome.review_owed,
        json.dumps(judgement.reasons),
        json.dumps(judgement.rounded_scores),
        judgement.version,
        main_label(judgement),
    ]


def _finding_rows(outcomes: Iterable[Outcome]) -> Iterator[list[Any]]:
    for outcome in outcomes:
        yield from finding.rows(outcome.submission.id, outcome.judgement.findings, outcome.images)


def _seen_rows(outcomes: Iterable[Outcome]) -> Iterator[list[Any]]:
    for outcome in outcomes:
        for image_id, seen in outcome.seen.items():
            values = dict(seen)
            for name in ("stills", "view"):
                if name in values:
                    values[name] = json.dumps(values[name])
            yield [outcome.submission.id, image_id, *(values.get(name) for name in image.SEEN)]


def _record_later(outcome: Outcome) -> Submission | None:
    """The full checks of a submission that fast rules, and perhaps a person, have decided."""
    submission = (
        Submission.select()
        .where(Submission.id == outcome.submission.id, Submission.lease_by == outcome.lease)
        .for_update()
        .first()
    )
    if submission is None:
        return None
    before, was_visible = submission.verdict, submission.visible
    judgement = outcome.judgement
    by_a_person = Decision.by_a_person(submission.id)
    verdict = before if by_a_person else judgement.verdict
    FindingRow.replace_of(submission.id, judgement.findings, outcome.images)
    _set_verdict(submission, verdict, outcome)
    submission.lease_by, submission.error = None, None
    columns: tuple[str, ...] = ("status", "score", "review_owed", "reasons", "lease_by", "error")
    columns += ("decided_at", "scores", "policy_version")
    if not by_a_person:  # these checks have decided, even if their verdict is as before
        submission.decided_at = peewee.fn.now()
    write(submission, columns, before)
    if before != verdict:
        Decision.append(submission, before, reason=main_label(judgement))
        follow(submission, before)
    elif submission.visible and not was_visible:  # the same verdict, but it may be shown now
        delivery.owe(submission, "submission.decided")
    for image_id, seen in outcome.seen.items():
        image.note(image_id, seen)
    return submission


def _set_verdict(submission: Submission, verdict: str, outcome: Outcome) -> None:
    judgement = outcome.judgement
    submission.status, submission.verdict, submission.score = DECIDED, verdict, judgement.score
    submission.visible = _is_visible(verdict, outcome)
    submission.review_owed = outcome.review_owed
    submission.scores, submission.policy_version = judgement.rounded_scores, judgement.version
    if verdict == judgement.verdict:
        submission.reasons = judgement.reasons


def _is_visible(verdict: str, outcome: Outcome) -> bool:
    return outcome.policy.shows(verdict) or (outcome.review_owed and verdict == APPROVED)
