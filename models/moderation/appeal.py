"""Appeals: an author asks, through the client, that a person reviews a rejection."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.connection import Model, db
from models.errors import Conflict, NotFound
from models.moderation.decision import Decision, write
from models.submissions.submission import Submission
from models.verdict import REJECTED, REVIEW
from models.webhooks import delivery

LONGEST = 2000  # characters of a message


class Appeal(Model):
    """One appeal; a submission has at most one. It is open until a person decides it."""

    id = peewee.BigAutoField()
    submission = peewee.ForeignKeyField(Submission, backref="appeals")
    message = peewee.TextField()
    decision = peewee.ForeignKeyField(Decision, null=True)
    created_at = peewee.DateTimeField()
    decided_at = peewee.DateTimeField(null=True)

    @classmethod
    def of(cls, ids: Iterable[UUID]) -> dict[UUID, Appeal]:
        """The appeals of these submissions, by submission."""
        rows = cls.select().where(cls.submission.in_(list(ids)))
        return {row.submission_id: row for row in rows}


def ask(submission_id: UUID, client_id: int, message: str) -> Appeal:
    """Put a rejected submission into the review queue, with the author's message.

    It stays hidden, and its strike stands until a person decides. Raises NotFound; raises Conflict
    if it is not rejected, was appealed before, or its content is purged. Of two appeals at once
    the row's lock accepts one.
    """
    with db.atomic():
        submission = Submission.select().where(Submission.id == submission_id).for_update().first()
        if (
            submission is None
            or submission.client_id != client_id
            or submission.erased_at is not None
        ):
            raise NotFound(f"There is no submission {submission_id}.")
        _check(submission)
        submission.verdict, submission.visible = REVIEW, False
        submission.appealed_at = peewee.fn.now()
        write(submission, ("appealed_at",), REJECTED)
        Decision.append(submission, REJECTED, reason="appeal")
        Audit.append("appeal.ask", str(submission.id), client=submission.client.name)
        number: int = Appeal.insert(
            submission=submission.id, message=message, created_at=peewee.fn.now()
        ).execute()
        return Appeal.get_by_id(number)


def _check(submission: Submission) -> None:
    if Appeal.select().where(Appeal.submission == submission.id).exists():
        raise Conflict("This submission was appealed before.", field="job_id")
    if submission.verdict != REJECTED or submission.review_owed:
        raise Conflict("Only a rejected submission can be appealed.", field="job_id")
    if submission.purged_at is not None:
        raise Conflict("The content is purged, so nobody can review it.", field="job_id")


def answer(submission: Submission, decision_id: int, wait: float) -> None:
    """Close the appeal by a person's decision; the event waits ``wait`` seconds for an undo."""
    Appeal.update(decision=decision_id, decided_at=peewee.fn.now()).where(
        Appeal.submission == submission.id, Appeal.decision.is_null()
    ).execute()
    Submission.update(appealed_at=None).where(Submission.id == submission.id).execute()
    delivery.owe(submission, "appeal.decided", wait=wait)


def reopen(decision: Decision) -> bool:
    """Open the appeal again that this decision closed; whether there was one."""
    rows = (
        Appeal.update(decision=None, decided_at=None)
        .where(Appeal.decision == decision.id)
        .returning(Appeal)
        .execute()
    )
    for row in rows:
        Submission.update(appealed_at=row.created_at, visible=False).where(
            Submission.id == row.submission_id
        ).execute()
        return True
    return False
