"""The transitions of a submission's processing: claim, renew, give back.

PostgreSQL holds the state of the work; a job in Redis only wakes a worker. A worker **claims** a
row, renews a lease on it, and must still hold that lease when it finishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import peewee

from models.database.connection import db
from models.submissions.submission import QUEUED, RECEIVED, Submission, no_lease

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
# The next open rows by age, and the first of these with the head start of texts.
NEXT = """
SELECT s.id FROM submission s
WHERE s.status IN ('received', 'queued') AND s.id IN (
    SELECT id FROM submission WHERE status IN ('received', 'queued') AND attempts < %(attempts)s
    ORDER BY (mode = 'direct') DESC, priority DESC, created_at LIMIT 100)
ORDER BY (s.mode = 'direct') DESC, s.priority DESC, s.created_at - CASE
    WHEN EXISTS (SELECT 1 FROM image i WHERE i.submission_id = s.id) THEN interval '0'
    ELSE interval '1 second' END
LIMIT 1 FOR UPDATE OF s SKIP LOCKED
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
    """Claim the next open submission without a queue; None if there is none.

    Those that somebody waits for come first, then priority, then the oldest. A text without
    pictures costs a twentieth of a picture, so it goes before pictures that are up to a second
    older: texts are as quick as ever, and no picture waits for long.
    """
    sql = CLAIM.replace("WHERE id = %(id)s", f"WHERE id = ({NEXT})")
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
        no_lease(Submission),
    )
    return [row[0] for row in query.tuples()]
