"""Submissions: one row per upload, and the transitions of its processing.

PostgreSQL holds the state of the work; a job in Redis only wakes a worker. A worker **claims** a
row, renews a lease on it, and must still hold that lease when it finishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
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
RISK_PICTURES, RISK_VISIBLE = 2, 1  # of review debt; they are added


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
    debt_risk = peewee.SmallIntegerField(default=0)
    score = peewee.FloatField(null=True)
    reasons = BinaryJSONField(default=list)  # the machine's; representation.py has those that stand
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
        query = cls.select(cls.id).where(cls.review_owed, _no_lease(cls)).order_by(*order)
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


def _no_lease(cls: type[Submission]) -> Any:
    return cls.lease_until.is_null() | (cls.lease_until < peewee.fn.now())


ASYNC_COMMIT = "set_config('synchronous_commit', 'off', true)"  # only in this transaction
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
    """Claim a submission; None if it is done, claimed, or has failed too often.

    Safe with any number of workers:
    1. the UPDATE locks the row, so of two claims the second sees the first one's result;
    2. ``lease`` is new for every claim, so a worker that was presumed dead can neither renew nor
       finish after another one has claimed the row;
    3. times are the database's, so workers' clocks do not matter.
    """
    values = {"id": submission_id, "lease": lease, "seconds": seconds, "attempts": attempts}
    return next(iter(_claimed(CLAIM, values)), None)


def claim_several(ids: Sequence[UUID], lease: str, *, seconds: int) -> list[Submission]:
    """Claim those of the submissions that have no attempt yet, in the order of ``ids``.

    An id that occurs twice is claimed once: the queue may hold two jobs of a submission.

    A submission that failed may have crashed its worker, so ``claim`` takes it alone. Rows locked
    by others are skipped too, so two such claims cannot deadlock.
    """
    sql = CLAIM.replace(
        "WHERE id = %(id)s",
        "WHERE id IN (SELECT id FROM submission WHERE id = ANY(%(ids)s) FOR UPDATE SKIP LOCKED)",
    )
    values = {"ids": list(ids), "lease": lease, "seconds": seconds, "attempts": 1}
    claimed = {row.id: row for row in _claimed(sql, values)}
    return [claimed[id_] for id_ in dict.fromkeys(ids) if id_ in claimed]


def claim_any(lease: str, *, seconds: int, attempts: int) -> Submission | None:
    """Claim the next open submission without a queue, priority first; None if there is none."""
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
    # No wait for the disk: if the server loses the claim in a crash, the row waits again, and the
    # worker that held it can neither renew nor finish.
    cursor = db.execute_sql(f"{sql}, {ASYNC_COMMIT}", values)
    names = [column[0] for column in cursor.description][:-1]
    return [Submission(**dict(zip(names, row[:-1], strict=True))) for row in cursor.fetchall()]


def give_back(ids: Iterable[UUID], lease: str) -> list[Submission]:
    """Release claims whose work has not begun, without counting an attempt; returns them."""
    cursor = db.execute_sql(
        "UPDATE submission SET lease_by = NULL, lease_until = NULL, attempts = attempts - 1,"
        " status = CASE WHEN verdict IS NULL THEN 'queued' ELSE status END, queued_at = now()"
        " WHERE id = ANY(%s) AND lease_by = %s RETURNING id, priority, mode, verdict",
        (list(ids), lease),
    )
    names = ("id", "priority", "mode", "verdict")
    return [Submission(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def renew(ids: Iterable[UUID], lease: str, seconds: int) -> None:
    """Extend the lease by ``seconds`` on those that still have it."""
    Submission.update(
        lease_until=peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (seconds,))
    ).where(Submission.id.in_(list(ids)), Submission.lease_by == lease).execute()


def hand_back(submission_id: UUID, lease: str, error: str, *, counted: bool = True) -> bool:
    """Release a claim after a failure; the sweep requeues the submission.

    ``counted=False``: not counted as an attempt, as the submission did not cause the failure.
    False if the lease was lost before: another worker has it, or it was erased.
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
    """Postpone a submission of the review debt, without counting an attempt."""
    db.execute_sql(
        "UPDATE submission SET attempts = greatest(0, attempts - 1),"
        " lease_until = now() + make_interval(secs => %s) WHERE id = %s AND review_owed",
        (seconds, submission_id),
    )


def mark_queued(ids: Iterable[UUID]) -> None:
    """Mark these as queued now."""
    queued = list(ids)
    if queued:
        Submission.update(
            status=peewee.Case(None, [(Submission.verdict.is_null(), QUEUED)], Submission.status),
            queued_at=peewee.fn.now(),
        ).where(Submission.id.in_(queued), Submission.status.in_((RECEIVED, QUEUED))).execute()


def release_expired() -> int:
    """Set rows with an expired lease back to ``received``; returns their number.

    Their error names the worker, which died or did not renew its lease in time.
    """
    rows = db.execute_sql(
        "UPDATE submission SET status = 'received', lease_by = NULL, lease_until = NULL,"
        " queued_at = NULL, error = 'worker ' || lease_by || ' died while processing it'"
        " WHERE status = 'processing' AND lease_until < now()"
        " RETURNING id"
    ).fetchall()
    return len(rows)


def exhausted(attempts: int) -> list[UUID]:
    """Submissions that failed ``attempts`` times and have no lease."""
    query = Submission.select(Submission.id).where(
        Submission.attempts >= attempts,
        Submission.status.in_((RECEIVED, QUEUED)) | Submission.review_owed,
        _no_lease(Submission),
    )
    return [row[0] for row in query.tuples()]
