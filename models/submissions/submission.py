"""Submissions: one row per upload. ``lease.py`` has the transitions of its processing."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.clients.client import Client
from models.database.connection import Model
from models.errors import Conflict, NotFound
from models.people.moderator import Moderator

RECEIVED, QUEUED, PROCESSING = "received", "queued", "processing"
DECIDED, QUARANTINED = "decided", "quarantined"
STATUSES = (RECEIVED, QUEUED, PROCESSING, DECIDED, QUARANTINED)
PRIORITIES = ("priority", "normal")
RISK_PICTURES, RISK_VISIBLE = 2, 1  # of review debt; they are added


class Submission(Model):
    """One upload: title, description, 0 to 5 images, author, priority."""

    id = peewee.UUIDField(primary_key=True)
    client = peewee.ForeignKeyField(Client, backref="submissions")
    user_id = peewee.TextField()
    external_id = peewee.TextField(null=True)
    surface = peewee.TextField(default="")  # where in the client's site it stands
    title = peewee.TextField(default="")
    description = peewee.TextField(default="")
    ip_hash = peewee.BlobField(null=True)
    priority = peewee.TextField()
    mode = peewee.TextField()
    status = peewee.TextField()
    verdict = peewee.TextField(null=True)
    visible = peewee.BooleanField()
    review_owed = peewee.BooleanField(default=False)
    debt_risk = peewee.SmallIntegerField(default=0)
    score = peewee.FloatField(null=True)
    reasons = BinaryJSONField(default=list)  # the machine's; representation.py has those that stand
    scores = BinaryJSONField(default=dict)  # the highest of each label, 0 to 1
    policy_version = peewee.BigIntegerField(null=True)  # the newest of those that decided
    moderator_label = peewee.TextField(null=True)  # of the person whose decision stands
    idempotency_key = peewee.TextField()
    fingerprint = peewee.BlobField()
    request_id = peewee.TextField(null=True)
    traceparent = peewee.TextField(null=True)
    attempts = peewee.SmallIntegerField(default=0)
    lease_by = peewee.TextField(null=True)
    lease_until = peewee.DateTimeField(null=True)
    review_by = peewee.ForeignKeyField(Moderator, null=True, column_name="review_by")
    review_until = peewee.DateTimeField(null=True)
    escalated_at = peewee.DateTimeField(null=True)
    escalated_by = peewee.ForeignKeyField(
        Moderator, null=True, column_name="escalated_by", backref="escalations"
    )
    version = peewee.IntegerField(default=0)
    error = peewee.TextField(null=True)
    created_at = peewee.DateTimeField()
    queued_at = peewee.DateTimeField(null=True)
    decided_at = peewee.DateTimeField(null=True)
    purged_at = peewee.DateTimeField(null=True)
    erased_at = peewee.DateTimeField(null=True)
    appealed_at = peewee.DateTimeField(null=True)

    @classmethod
    def of_client(cls, submission_id: UUID, client_id: int) -> Submission:
        """The client's submission with this id; NotFound for another client's, too."""
        row = cls.get_or_none(cls.id == submission_id, cls.client == client_id)
        if row is None:
            raise NotFound(f"There is no submission {submission_id}.")
        if row.erased_at is not None:
            raise NotFound(f"The submission {submission_id} was erased.")
        return row

    @classmethod
    def with_external_id(cls, text: str, client_id: int | None, limit: int) -> list[Submission]:
        """The newest submissions to which their site gave this id, of one client or of all."""
        query = cls.select(cls, Client).join(Client).where(cls.external_id == text)
        if client_id is not None:
            query = query.where(cls.client == client_id)
        return list(query.order_by(cls.id.desc()).limit(limit))

    @classmethod
    def with_key(cls, client_id: int, key: str, fingerprint: bytes) -> Submission | None:
        """The client's submission with this idempotency key.

        Raises Conflict if its content does not match this fingerprint.
        """
        row = cls.get_or_none(cls.client == client_id, cls.idempotency_key == key)
        if row is not None and bytes(row.fingerprint) != fingerprint:
            raise Conflict(
                "This Idempotency-Key was used before with different content.",
                field="Idempotency-Key",
            )
        return row

    @classmethod
    def received_before(cls, seconds: float, limit: int) -> list[tuple[Any, ...]]:
        """Rows not in the queue, in the order of processing, as `_open_before` has them."""
        order = (cls.priority.desc(), cls.created_at)
        return cls._open_before(RECEIVED, seconds, limit, order)

    @classmethod
    def queued_before(cls, seconds: float, limit: int) -> list[tuple[Any, ...]]:
        """Rows whose job may be lost, longest queued first, as `_open_before` has them."""
        return cls._open_before(QUEUED, seconds, limit, (cls.queued_at,))

    @classmethod
    def _open_before(
        cls, status: str, seconds: float, limit: int, order: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        """(id, priority, mode, client, the client's weight) of open rows."""
        query = (
            cls.select(cls.id, cls.priority, cls.mode, Client.id, Client.weight)
            .join(Client)
            .where(
                cls.status == status,
                peewee.fn.coalesce(cls.queued_at, cls.created_at) < _ago(seconds),
            )
            .order_by(*order)
            .limit(limit)
        )
        return list(query.tuples())

    @classmethod
    def count_received(cls, most: int) -> int:
        """The number of rows that wait only in PostgreSQL, counted up to ``most``."""
        waiting = cls.select(peewee.SQL("1")).where(cls.status == RECEIVED).limit(most)
        return int(waiting.count())

    @classmethod
    def owing(cls, limit: int) -> list[UUID]:
        """Submissions of the review debt without a lease, in the order in which they are paid.

        Half of them are the riskiest and half the oldest, in turns: what is dangerous is checked
        soon, and nothing waits for ever.
        """
        riskiest = cls._owing((cls.debt_risk.desc(), cls.created_at), limit)
        oldest = cls._owing((cls.created_at,), limit)
        turns = dict.fromkeys(each for pair in zip_longest(riskiest, oldest) for each in pair)
        return [each for each in turns if each is not None][:limit]

    @classmethod
    def _owing(cls, order: tuple[Any, ...], limit: int) -> list[UUID]:
        query = cls.select(cls.id).where(cls.review_owed, no_lease(cls)).order_by(*order)
        return [row[0] for row in query.limit(limit).tuples()]

    @classmethod
    def count_owed(cls) -> int:
        """The size of the review debt."""
        return cls.select().where(cls.review_owed).count()

    @property
    def is_decided(self) -> bool:
        """Whether it has a verdict."""
        return self.verdict is not None


def _ago(seconds: float) -> Any:
    return peewee.fn.now() - peewee.SQL("make_interval(secs => %s)", (seconds,))


def no_lease(cls: type[Submission]) -> Any:
    """The condition that no worker holds the row."""
    return cls.lease_until.is_null() | (cls.lease_until < peewee.fn.now())
