"""Decisions: the append-only history of verdicts, and the transaction that makes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.authors import author
from models.database.connection import Model, db
from models.people.moderator import Moderator
from models.submissions.finding import FindingRow
from models.submissions.submission import DECIDED, QUARANTINED, Submission
from models.verdict import APPROVED, REJECTED, REVIEW, SHADOW_CHECK, Finding, Judgement, Policy
from models.webhooks import delivery

LATER = "greatest(clock_timestamp(), decided_at + interval '1 microsecond')"  # of `decided_at`


class Decision(Model):
    """Who changed a submission's verdict, why and when. Without a moderator it was the machine."""

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
        """Record the verdict that the submission now has; returns the row's id.

        A person's decision or undo changes ``moderator_label`` by a trigger; the object gets it.
        """
        number: int = cls.insert(
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
        if moderator_id is not None:
            labels = Submission.select(Submission.moderator_label)
            submission.moderator_label = labels.where(Submission.id == submission.id).scalar()
        return number

    @classmethod
    def of_group(cls, group_id: UUID) -> list[Decision]:
        """The decisions that were made together, by one action."""
        return list(cls.select().where(cls.group_id == group_id).order_by(cls.id))

    @classmethod
    def stands_after(cls, decision: Decision) -> bool:
        """Whether the submission has a later decision that was not undone."""
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


def change(submission: Submission, verdict: str, policy: Policy) -> str | None:
    """Give a locked row a person's verdict; returns the previous one."""
    before: str | None = submission.verdict
    submission.status, submission.verdict, submission.visible = (
        DECIDED,
        verdict,
        policy.shows(verdict),
    )
    submission.review_by, submission.review_until = None, None
    write(submission, ("status", "review_by", "review_until"), before, decided=True)
    return before


def write(
    submission: Submission, names: tuple[str, ...], before: str | None, *, decided: bool = False
) -> None:
    """Write these columns and the verdict. ``decided_at`` is when it was last decided.

    It is always later than before: ``now()`` is when the transaction began, and another one may
    have decided while this one waited for its lock.

    ``decided``: a decision follows even if the verdict is as before, so the version rises: the
    machine decides each version once.
    """
    values: dict[str, Any] = {
        name: getattr(submission, name) for name in (*names, "verdict", "visible")
    }
    values["lease_until"] = None
    if decided or before != submission.verdict:
        values["decided_at"] = peewee.SQL(LATER)
        values["version"] = Submission.version + 1
    query = Submission.update(**values).where(Submission.id == submission.id)
    for row in query.returning(Submission.decided_at).execute():
        submission.decided_at = row.decided_at


def follow(
    submission: Submission,
    before: str | None,
    *,
    after: str | None = None,
    wait: float = 0.0,
    tell: bool = True,
) -> None:
    """Record the consequences of a changed verdict: a strike, and the event owed to the client.

    ``after`` is the verdict for the strike if it is not the row's: an appealed rejection still
    counts. ``wait`` delays the event by seconds; with ``tell=False`` there is none. A damaged file
    is nobody's offence, so its rejection by the machine is no strike.
    """
    after = after or submission.verdict
    changed = REJECTED in (before, after) and before != after
    if changed and not (is_only_damage(submission.reasons) and _by_the_machine(submission)):
        author.strike(submission.client_id, submission.user_id, 1 if after == REJECTED else -1)
    if tell:
        delivery.owe(submission, _event(before, submission.verdict), wait=wait)


def is_only_damage(reasons: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether the machine's only reasons are pictures that cannot be read."""
    return bool(reasons) and all(each.get("label") == "unreadable" for each in reasons or ())


def _by_the_machine(submission: Submission) -> bool:
    """Whether the last rejection, which may have been undone, is the machine's."""
    query = Decision.select(Decision.moderator).where(
        Decision.submission == submission.id,
        Decision.to_verdict == REJECTED,
        Decision.undoes.is_null(),
    )
    last = query.order_by(Decision.id.desc()).first()
    return last is None or last.moderator_id is None


def _event(before: str | None, after: str) -> str:
    if before == APPROVED:
        return "submission.retracted"
    if before == REJECTED:
        return "submission.restored"
    return "submission.decided"


def quarantine(submission_id: UUID, attempts: int, policy: Policy) -> bool:
    """Put a submission that failed ``attempts`` times into review; whether it was one."""
    with db.atomic():
        submission = (
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
        if submission is None:
            return False
        before = submission.verdict
        finding = Finding(
            "failure", "error", "review", evidence={"error": submission.error or "died"}
        )
        FindingRow.replace_of(submission.id, [finding], {})
        if Decision.by_a_person(submission.id):
            Submission.update(review_owed=False).where(Submission.id == submission.id).execute()
            return True
        submission.status, submission.verdict, submission.visible = (
            QUARANTINED,
            REVIEW,
            policy.shows(REVIEW),
        )
        submission.review_owed, submission.lease_by = False, None
        submission.reasons = Judgement(REVIEW, (finding,), None).reasons
        columns = ("status", "review_owed", "lease_by", "reasons")
        write(submission, columns, before, decided=True)
        Decision.append(submission, before, reason="error")
        follow(submission, before)
        return True


def main_label(judgement: Judgement) -> str:
    deciding = (found.label for found in judgement.findings if found.check != SHADOW_CHECK)
    return next(deciding, "")
