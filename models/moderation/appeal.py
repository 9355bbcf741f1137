"""Appeals: an author asks, through the client, that a person looks at a rejection again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
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
    """One appeal; a submission has at most one. Open until a person's decision answers it."""

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
    """Send a rejected submission to a person, with what the author says; it stays hidden.

    Raises NotFound, and Conflict where it is not rejected, was appealed before, or its content is
    gone. The row's lock lets one of two appeals through. The strike stands until it is answered.
    """
    with db.atomic():
        row = Submission.select().where(Submission.id == submission_id).for_update().first()
        if row is None or row.client_id != client_id or row.erased_at is not None:
            raise NotFound(f"There is no submission {submission_id}.")
        _check(row)
        row.verdict, row.visible, row.appealed_at = REVIEW, False, peewee.fn.now()
        write(row, ("appealed_at",), REJECTED)
        Decision.append(row, REJECTED, reason="appeal")
        Audit.append("appeal.ask", str(row.id), client=row.client.name)
        number: int = Appeal.insert(
            submission=row.id, message=message, created_at=peewee.fn.now()
        ).execute()
        return Appeal.get_by_id(number)


def _check(row: Submission) -> None:
    if Appeal.select().where(Appeal.submission == row.id).exists():
        raise Conflict("This was appealed before; one appeal is looked at.", field="job_id")
    if row.verdict != REJECTED or row.review_owed:
        raise Conflict("Only what was rejected can be appealed.", field="job_id")
    if row.purged_at is not None:
        raise Conflict("Its content is no longer kept, so nobody can look again.", field="job_id")


def answer(row: Submission, decision_id: int, wait: float) -> None:
    """A person's decision answers the appeal; its event waits for the undo window."""
    Appeal.update(decision=decision_id, decided_at=peewee.fn.now()).where(
        Appeal.submission == row.id, Appeal.decision.is_null()
    ).execute()
    Submission.update(appealed_at=None).where(Submission.id == row.id).execute()
    delivery.owe(row, "appeal.decided", wait=wait)


def reopen(decision: Any) -> bool:
    """Open the appeal again that this decision answered; whether there was one."""
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
