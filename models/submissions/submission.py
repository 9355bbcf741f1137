"""Submissions: one row an upload, and the transitions of its work.

PostgreSQL is the truth of the work: a job in Redis is only a wake-up. A worker **claims** a row,
holds it with a lease that it renews, and whoever finishes it must still hold that lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.clients.client import Client
from models.database.connection import Model, db
from models.errors import Conflict, NotFound
from models.people.moderator import Moderator

RECEIVED, QUEUED, PROCESSING = "received", "queued", "processing"
DECIDED, QUARANTINED = "decided", "quarantined"
STATUSES = (RECEIVED, QUEUED, PROCESSING, DECIDED, QUARANTINED)
PRIORITIES = ("priority", "normal")


class Submission(Model):
    """One upload: title, description, 0 to 5 images, author, priority."""

    id = peewee.UUIDField(primary_key=True)
    client = peewee.ForeignKeyField(Client, backref="submissions")
    user_id = peewee.TextField()
    external_id = peewee.TextField(null=True)
    title = peewee.TextField(default="")
    description = peewee.TextField(default="")
    ip_hash = peewee.BlobField(null=True)
    priority = peewee.TextField()
    mode = peewee.TextField()
    status = peewee.TextField()
    verdict = peewee.TextField(null=True)
    visible = peewee.BooleanField()
    review_owed = peewee.BooleanField(default=False)
    score = peewee.FloatField(null=True)
    reasons = BinaryJSONField(default=list)
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
        """The client's submission of that id; another client's is NotFound like none."""
        row = cls.get_or_none(cls.id == submission_id, cls.client == client_id)
        if row is None:
            raise NotFound(f"There is no submission {submission_id}.")
        if row.erased_at is not None:
            raise NotFound(f"The submission {submission_id} was erased.")
        return row

    @classmethod
    def with_key(cls, client_id: int, key: str, fingerprint: bytes) -> Submission | None:
        """The client's submission of that idempotency key.

        Raises Conflict where it had other content than this fingerprint's.
        """
        row = cls.get_or_none(cls.client == client_id, cls.idempotency_key == key)
        if row is not None and bytes(row.fingerprint) != fingerprint:
            raise Conflict(
                "This Idempotency-Key came with other content before.", field="Idempotency-Key"
            )
        return row

    @classmethod
    def received_before(cls, seconds: float, limit: int) -> list[tuple[UUID, str, str]]:
        """(id, priority, mode) of rows that are not in the queue, in the order of their work."""
        order = (cls.priority.desc(), cls.created_at)
        return cls._open_before(RECEIVED, seconds, limit, order)

    @classmethod
    def queued_before(cls, seconds: float, limit: int) -> list[tuple[UUID, str, str]]:
        """(id, priority, mode) of rows whose job may be lost, the longest queued first."""
        return cls._open_before(QUEUED, seconds, limit, (cls.queued_at,))

    @classmethod
    def _open_before(
        cls, status: str, seconds: float, limit: int, order: tuple[Any, ...]
    ) -> list[tuple[UUID, str, str]]:
        query = (
            cls.select(cls.id, cls.priority, cls.mode)
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
        """How many rows wait in PostgreSQL alone, counted up to ``most``."""
        waiting = cls.select(peewee.SQL("1")).where(cls.status == RECEIVED).limit(most)
        return int(waiting.count())

    @classmethod
    def owing(cls, limit: int) -> list[UUID]:
        """Submissions of the review debt that nobody works on, the oldest first."""
        query = (
            cls.select(cls.id)
            .where(cls.review_owed, _no_lease(cls))
            .order_by(cls.created_at)
            .limit(limit)
        )
        return [row[0] for row in query.tuples()]

    @classmethod
    def count_owed(cls) -> int:
        """The review debt."""
        return cls.select().where(cls.review_owed).count()

    @classmethod
    def count_to_review(cls) -> int:
        """Submissions that a person must look at."""
        return cls.select().where(cls.verdict == "review", ~cls.review_owed).count()

    @property
    def is_decided(self) -> bool:
        """Whether it has a verdict."""
        return self.verdict is not None


def _ago(seconds: float) -> Any:
    return peewee.fn.now() - peewee.SQL("make_interval(secs => %s)", (seconds,))


def _no_lease(cls: type[Submission]) -> Any:
    return cls.lease_until.is_null() | (cls.lease_until < peewee.fn.now())


NO_WAIT = "set_config('synchronous_commit', 'off', true)"  # in this transaction alone
CLAIM = """
UPDATE submission SET
    status = CASE WHEN verdict IS NULL THEN 'processing' ELSE status END,
    attempts = attempts + 1,
    lease_by = %(lease)s,
    lease_until = now() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s
  AND (status IN ('received', 'queued')
       OR (status = 'processing' AND lease_until < now())
       OR (review_owed AND (lease_until IS NULL OR lease_until < now())))
  AND attempts < %(attempts)s
RETURNING submission.*, extract(epoch FROM now() - created_at) AS waited
"""


def claim(submission_id: UUID, lease: str, *, seconds: int, attempts: int) -> Submission | None:
    """Take the work on a submission; None where it is done, taken, or has failed too often.

    Safe between any number of workers:
    1. the UPDATE locks the row, so that of two claims one sees the other's result;
    2. ``lease`` is new for every claim, so that a worker which was thought dead can neither
       renew nor finish once another has claimed the row;
    3. time is the database's, so that workers' clocks do not matter.
    """
    values = {"id": submission_id, "lease": lease, "seconds": seconds, "attempts": attempts}
    return next(iter(_claimed(CLAIM, values)), None)


def claim_several(ids: Sequence[UUID], lease: str, *, seconds: int) -> list[Submission]:
    """Take the work on those of the submissions that nobody has tried yet, in the order of ids.

    What failed before may have taken its worker with it, so it is worked alone, by ``claim``. Rows
    that others have locked are left out as well, so that two such claims never wait in a circle.
    """
    sql = CLAIM.replace(
        "WHERE id = %(id)s",
        "WHERE id IN (SELECT id FROM submission WHERE id = ANY(%(ids)s) FOR UPDATE SKIP LOCKED)",
    )
    values = {"ids": list(ids), "lease": lease, "seconds": seconds, "attempts": 1}
    taken = {row.id: row for row in _claimed(sql, values)}
    return [taken[number] for number in ids if number in taken]


def claim_any(lease: str, *, seconds: int, attempts: int) -> Submission | None:
    """Take the next open submission without a queue, priority first; None where there is none."""
    sql = CLAIM.replace(
        "WHERE id = %(id)s",
        "WHERE id = (SELECT id FROM submission WHERE status IN ('received', 'queued')"
        " AND attempts < %(attempts)s"
        " ORDER BY (mode = 'direct') DESC, priority DESC, created_at LIMIT 1"
        " FOR UPDATE SKIP LOCKED)",
    )
    values = {"lease": lease, "seconds": seconds, "attempts": attempts}
    return next(iter(_claimed(sql, values)), None)


def _claimed(sql: str, values: dict[str, Any]) -> list[Submission]:
    # The claim need not be on the disk: where it is lost with the server, the row waits again, and
    # who held it can neither renew nor finish. That spares a wait for the disk.
    cursor = db.execute_sql(f"{sql}, {NO_WAIT}", values)
    names = [column[0] for column in cursor.description][:-1]
    return [Submission(**dict(zip(names, row[:-1], strict=True))) for row in cursor.fetchall()]


def give_back(ids: Iterable[UUID], lease: str) -> list[Submission]:
    """Let go of claims whose work has not begun, which then count as no attempt; those let go."""
    cursor = db.execute_sql(
        "UPDATE submission SET lease_by = NULL, lease_until = NULL, attempts = attempts - 1,"
        " status = CASE WHEN verdict IS NULL THEN 'queued' ELSE status END, queued_at = now()"
        " WHERE id = ANY(%s) AND lease_by = %s RETURNING id, priority, mode, verdict",
        (list(ids), lease),
    )
    names = ("id", "priority", "mode", "verdict")
    return [Submission(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def renew(ids: Iterable[UUID], lease: str, seconds: int) -> None:
    """Hold a claim for some seconds more, as far as it is still ours."""
    Submission.update(
        lease_until=peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (seconds,))
    ).where(Submission.id.in_(list(ids)), Submission.lease_by == lease).execute()


def hand_back(submission_id: UUID, lease: str, error: str, *, counted: bool = True) -> bool:
    """Give up a claim after a failure; the sweep lets another worker try.

    One that is not ``counted`` is no attempt: whatever failed is not to be blamed on the
    submission. False where the claim was lost before: another has it, or it was erased.
    """
    cursor = db.execute_sql(
        "UPDATE submission SET lease_by = NULL, lease_until = NULL, error = %(error)s,"
        " attempts = greatest(0, attempts - %(back)s),"
        " status = CASE WHEN verdict IS NULL THEN 'received' ELSE status END"
        " WHERE id = %(id)s AND lease_by = %(lease)s",
        {"id": submission_id, "lease": lease, "error": error[:500], "back": int(not counted)},
    )
    return bool(cursor.rowcount)


def pause(submission_id: UUID, seconds: float) -> None:
    """Leave a submission's debt alone for some seconds, without counting the attempt."""
    db.execute_sql(
        "UPDATE submission SET attempts = greatest(0, attempts - 1),"
        " lease_until = now() + make_interval(secs => %s) WHERE id = %s AND review_owed",
        (seconds, submission_id),
    )


def mark_queued(ids: Iterable[UUID]) -> None:
    """Note that these were put into the queue now."""
    wanted = list(ids)
    if wanted:
        Submission.update(
            status=peewee.Case(None, [(Submission.verdict.is_null(), QUEUED)], Submission.status),
            queued_at=peewee.fn.now(),
        ).where(Submission.id.in_(wanted), Submission.status.in_((RECEIVED, QUEUED))).execute()


def release_expired() -> int:
    """Put rows whose worker has gone back to ``received``; returns how many.

    Their error says what is known: the worker died, or was too slow to renew its lease.
    """
    rows = db.execute_sql(
        "UPDATE submission SET status = 'received', lease_by = NULL, lease_until = NULL,"
        " queued_at = NULL, error = 'the worker ' || lease_by || ' died at work on it'"
        " WHERE status = 'processing' AND lease_until < now()"
        " RETURNING id"
    ).fetchall()
    return len(rows)


def exhausted(attempts: int) -> list[UUID]:
    """Submissions that failed ``attempts`` times and that nobody works on."""
    query = Submission.select(Submission.id).where(
        Submission.attempts >= attempts,
        Submission.status.in_((RECEIVED, QUEUED)) | Submission.review_owed,
        _no_lease(Submission),
    )
    return [row[0] for row in query.tuples()]
