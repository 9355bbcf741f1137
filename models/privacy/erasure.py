"""Erasure on request: deletes a submission, or all submissions of an author, at once.

A stub without the author's name stays: ids, verdict, decisions, times. Undecided submissions are
closed as rejected, without a strike and without an event. Pending events are cancelled, because
the requester knows about the erasure.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.authors.author import Author, subject
from models.clients.client import Client
from models.database.config_revision import Revision
from models.database.connection import Model, db, one
from models.errors import NotFound
from models.people.moderator import Moderator
from models.privacy.purge import purge
from models.submissions.submission import Submission

BATCH = 500  # submissions of an author erased in one transaction
LONGEST_REASON = 500
CLOSE = (
    "closed AS (INSERT INTO decision (submission_id, from_verdict, to_verdict, reason)"
    " SELECT id, verdict, 'rejected', 'erased' FROM chosen"
    " WHERE verdict IS NULL OR verdict = 'review'),"
)
SETS = """,
    user_id = %(alias)s, erased_at = now(), visible = false, review_owed = false,
    status = 'decided', appealed_at = NULL, escalated_at = NULL, escalated_by = NULL,
    verdict = CASE WHEN chosen.verdict = 'approved' THEN 'approved' ELSE 'rejected' END,
    decided_at = CASE WHEN chosen.verdict IN ('approved', 'rejected') THEN decided_at
        ELSE now() END
"""
OF_AUTHOR = """
SELECT id, verdict FROM submission WHERE client_id = %(client)s AND user_id = %(user)s
    AND created_at <= %(asked)s ORDER BY id LIMIT %(limit)s FOR UPDATE"""


@dataclass(frozen=True, slots=True)
class By:
    """Who requests it: a moderator with a reason, or the client."""

    moderator: Moderator | None = None
    reason: str = ""

    def check(self) -> None:
        """Raises Forbidden for a moderator who is not an administrator."""
        if self.moderator is not None:
            self.moderator.require_administrator()

    @property
    def moderator_id(self) -> int | None:
        """The moderator's id, None for the client."""
        return self.moderator.id if self.moderator else None


class Erasure(Model):
    """A request to erase an author; ``user_id`` is kept until nothing else contains it."""

    id = peewee.BigAutoField()
    client = peewee.ForeignKeyField(Client)
    moderator = peewee.ForeignKeyField(Moderator, null=True)
    author = peewee.BlobField()
    user_id = peewee.TextField(null=True)
    alias = peewee.TextField()
    reason = peewee.TextField(default="")
    submissions = peewee.IntegerField(default=0)
    asked_at = peewee.DateTimeField()
    finished_at = peewee.DateTimeField(null=True)

    @classmethod
    def unfinished(cls) -> list[Erasure]:
        """Unfinished requests older than a minute, whose process died."""
        minute = peewee.SQL("interval '1 minute'")
        return list(
            cls.select().where(cls.finished_at.is_null(), cls.asked_at < peewee.fn.now() - minute)
        )


def erase_submission(submission_id: UUID, client_id: int | None, by: By) -> list[str]:
    """Erase one submission, of this client if given; returns the keys of its files.

    Raises NotFound. Repeating it changes nothing. Safe while a worker processes it: the same
    statement removes the worker's lease, so the worker can no longer write to it.
    """
    by.check()
    with db.atomic():
        row = Submission.select().where(Submission.id == submission_id).for_update().first()
        if row is None or client_id not in (None, row.client_id):
            raise NotFound(f"There is no submission {submission_id}.")
        if row.erased_at is not None:
            return []
        values = {"id": str(row.id), "verdict": row.verdict, "alias": _alias()}
        chosen = "SELECT %(id)s::uuid AS id, %(verdict)s::text AS verdict"
        _, keys = purge(chosen, values, more=CLOSE, sets=SETS)
        Audit.append(
            "submission.erase",
            str(row.id),
            moderator_id=by.moderator_id,
            client=row.client.name,
            reason=_reason(by),
        )
    return keys


def ask_for_author(client_id: int, user_id: str, digest: bytes, by: By) -> Erasure | None:
    """Store a request to erase an author; ``erase_next`` and ``finish`` carry it out.

    None if the author was erased before and has no new data. Raises NotFound for an unknown author.
    """
    by.check()
    with db.atomic():
        if not _has_data(client_id, user_id):
            before = Erasure.select().where(Erasure.client == client_id, Erasure.author == digest)
            if before.exists():
                return None
            raise NotFound("This author does not exist.")
        row: int = Erasure.insert(
            client=client_id,
            moderator=by.moderator_id,
            author=digest,
            user_id=user_id,
            alias=_alias(),
            reason=_reason(by),
            asked_at=peewee.fn.now(),
        ).execute()
        return Erasure.get_by_id(row)


def erase_next(asked: Erasure) -> list[str] | None:
    """Erase a batch of the author's submissions; returns the keys of their files, None at the end.

    Submissions sent after the request are kept.
    """
    with db.atomic():
        values = {
            "client": asked.client_id,
            "user": asked.user_id,
            "asked": asked.asked_at,
            "limit": BATCH,
            "alias": asked.alias,
        }
        count, keys = purge(OF_AUTHOR, values, more=CLOSE, sets=SETS)
        if count:
            Erasure.update(submissions=Erasure.submissions + count).where(
                Erasure.id == asked.id
            ).execute()
    return keys if count else None


def finish(asked: Erasure) -> None:
    """Delete the author's row and name; if two processes do it, the second changes nothing."""
    with db.atomic():
        row = Erasure.select().where(Erasure.id == asked.id).for_update().first()
        if row is None or row.finished_at is not None:
            return
        Author.delete().where(
            Author.client == row.client_id, Author.user_id == row.user_id
        ).execute()
        Revision.bump("authors")
        Erasure.update(user_id=None, finished_at=peewee.fn.now()).where(
            Erasure.id == row.id
        ).execute()
        Audit.append(
            "author.erase",
            subject(row.client_id, row.alias),
            moderator_id=row.moderator_id,
            client=row.client.name,
            submissions=row.submissions,
            reason=row.reason,
        )


def author_digest(key: str, client_id: int, user_id: str) -> bytes:
    """The keyed hash by which an erased author is recognised."""
    return hmac.new(key.encode(), f"{client_id}/{user_id}".encode(), hashlib.sha256).digest()


def _has_data(client_id: int, user_id: str) -> bool:
    mine = "WHERE client_id = %s AND user_id = %s"
    row = one(
        f"SELECT EXISTS (SELECT FROM submission {mine}) OR EXISTS (SELECT FROM author {mine})",
        *(client_id, user_id, client_id, user_id),
    )
    return row == (True,)


def _alias() -> str:
    """The replacement for the author's name."""
    return f"erased-{secrets.token_hex(6)}"


def _reason(by: By) -> str:
    return " ".join(by.reason.split())[:LONGEST_REASON]
