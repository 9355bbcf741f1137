"""Decisions: the append-only history of verdicts, and the transaction that makes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.authors import author
from models.database.connection import Model, db
from models.people.moderator import Moderator
from models.submissions.finding import FindingRow
from models.submissions.submission import DECIDED, QUARANTINED, Submission
from models.verdict import APPROVED, REJECTED, REVIEW, Finding, Judgement, Policy
from models.webhooks import delivery


class Decision(Model):
    """Who gave a submission another verdict, why and when; no moderator: the machine."""

    id = peewee.BigAutoField()
    submission = peewee.ForeignKeyField(Submission, backref="decisions")
    moderator = peewee.ForeignKeyField(Moderator, null=True, backref="decisions")
    from_verdict = peewee.TextField(null=True)
    to_verdict = peewee.TextField()
    reason = peewee.TextField(default="")
    undoes = peewee.ForeignKeyField("self", null=True, column_name="undoes")
    group_id = peewee.UUIDField(null=True)
    blocked = BinaryJSONField(default=list)
    created_at = peewee.DateTimeField()

    @classmethod
    def append(
        cls,
        submission: Submission,
        before: str | None,
        *,
        reason: str = "",
        moderator_id: int | None = None,
        undoes: int | None = None,
        group_id: UUID | None = None,
        blocked: Sequence[int] = (),
    ) -> int:
        """Write down that the submission now has its verdict; returns the row's id."""
        row: int = cls.insert(
            submission=submission.id,
            moderator=moderator_id,
            from_verdict=before,
            to_verdict=submission.verdict,
            reason=reason,
            undoes=undoes,
            group_id=group_id,
            blocked=list(blocked),
            created_at=peewee.fn.now(),
        ).execute()
        return row

    @classmethod
    def of_group(cls, group_id: UUID) -> list[Decision]:
        """The decisions that one act made together."""
        return list(cls.select().where(cls.group_id == group_id).order_by(cls.id))

    @classmethod
    def stands_after(cls, decision: Decision) -> bool:
        """Whether a later decision on the same submission holds, one that was not undone."""
        undo = cls.alias()
        return (
            cls.select()
            .where(
                cls.submission == decision.submission_id,
                cls.id > decision.id,
                cls.undoes.is_null(),
                ~peewee.fn.EXISTS(undo.select().where(undo.undoes == cls.id)),
            )
            .exists()
        )

    @classmethod
    def by_a_person(cls, submission_id: UUID) -> bool:
        """Whether a moderator has decided this submission."""
        return (
            cls.select()
            .where(cls.submission == submission_id, cls.moderator.is_null(False))
            .exists()
        )


def change(row: Submission, verdict: str, policy: Policy) -> str | None:
    """Give a locked row a person's verdict; returns the one before."""
    before: str | None = row.verdict
    row.status, row.verdict, row.visible = DECIDED, verdict, policy.shows(verdict)
    row.review_by, row.review_until = None, None
    write(row, ("status", "review_by", "review_until"), before)
    return before


def write(row: Submission, names: tuple[str, ...], before: str | None) -> None:
    """Write these columns and the verdict's; its time is when it last changed."""
    values: dict[str, Any] = {name: getattr(row, name) for name in (*names, "verdict", "visible")}
    values["lease_until"] = None
    if before != row.verdict:
        values |= {"decided_at": peewee.fn.now(), "version": Submission.version + 1}
    Submission.update(**values).where(Submission.id == row.id).execute()


def follow(
    row: Submission,
    before: str | None,
    *,
    after: str | None = None,
    wait: float = 0.0,
    tell: bool = True,
) -> None:
    """What follows a changed verdict: strikes, and the event that the client is owed.

    ``after``: what stands meanwhile, where that is not the row's verdict: an appealed rejection.
    """
    after = after or row.verdict
    if REJECTED in (before, after) and before != after:
        author.strike(row.client_id, row.user_id, 1 if after == REJECTED else -1)
    if tell:
        delivery.owe(row, _event(before, row.verdict), wait=wait)


def _event(before: str | None, after: str) -> str:
    if before == APPROVED:
        return "submission.retracted"
    if before == REJECTED:
        return "submission.restored"
    return "submission.decided"


def quarantine(submission_id: UUID, attempts: int, policy: Policy) -> bool:
    """Hand a submission that failed ``attempts`` times to a person, with its error."""
    with db.atomic():
        row = (
            Submission.select()
            .where(
                Submission.id == submission_id,
                Submission.attempts >= attempts,
                Submission.lease_until.is_null() | (Submission.lease_until < peewee.fn.now()),
                Submission.verdict.is_null() | Submission.review_owed,
            )
            .for_update()
            .first()
        )
        if row is None:
            return False
        before = row.verdict
        finding = Finding("failure", "error", "review", evidence={"error": row.error or "died"})
        FindingRow.replace_of(row.id, [finding], {})
        if Decision.by_a_person(row.id):
            Submission.update(review_owed=False).where(Submission.id == row.id).execute()
            return True
        row.status, row.verdict, row.visible = QUARANTINED, REVIEW, policy.shows(REVIEW)
        row.review_owed, row.lease_by = False, None
        row.reasons = Judgement(REVIEW, (finding,), None).reasons
        write(row, ("status", "review_owed", "lease_by", "reasons"), before)
        Decision.append(row, before, reason="error")
        follow(row, before)
        return True


def main_label(judgement: Judgement) -> str:
    return judgement.findings[0].label if judgement.findings else ""
