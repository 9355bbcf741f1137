"""Uploads that the machine rejected for a known image which an undone block had added.

They are sent back to the checks: the first ``BATCH`` by the undo itself, the rest by the standby.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.connection import db
from models.moderation.decision import Decision, follow, write
from models.review.decide import author_order
from models.settings import Settings
from models.submissions.submission import Submission
from models.verdict import REVIEW

BATCH = 500  # uploads in one transaction
SETTLED = 5  # seconds in which every process has read a changed hash bank
UNBLOCKED = "unblocked"  # the reason of the machine's decision that `recheck` records
# Rejected by the machine for one of these known images, and by no person.
FOLLOWERS = """
SELECT DISTINCT submission.id FROM finding f JOIN submission ON submission.id = f.submission_id
WHERE (f.evidence->>'known')::bigint = ANY(%(known)s) AND f."check" = 'known_hashes'
  AND f.action = 'reject' AND submission.verdict = 'rejected' AND submission.purged_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.submission_id = submission.id
    AND d.moderator_id IS NOT NULL AND d.undoes IS NULL
    AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id))
"""
FIRST = FOLLOWERS + " LIMIT %(limit)s"
STILL = FOLLOWERS + " AND submission.id = ANY(%(ids)s::uuid[])"
# Those of an undo that the standby has left to do; each upload once, whatever the check says then.
LEFT = (
    FOLLOWERS
    + """ AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.submission_id = submission.id
    AND d.reason = 'unblocked' AND d.created_at >= %(undone_at)s) LIMIT %(limit)s"""
)
# (moderator, time, known images) of the last day's undos of blocks. `now()` is the same in one
# transaction, so an undo removed the known images that were removed at its time.
UNDONE = """
SELECT undo.moderator_id, undo.created_at, array_agg(DISTINCT k.id)
FROM known_hash k JOIN image i ON i.id = k.image_id
JOIN decision d ON d.submission_id = i.submission_id AND d.blocked <> '[]'
JOIN decision undo ON undo.undoes = d.id AND undo.created_at = k.removed_at
WHERE k.removed_at > now() - interval '1 day' GROUP BY undo.id
"""


def first(known: Sequence[int]) -> list[UUID]:
    """At most ``BATCH`` uploads that were rejected for these known images; none is locked."""
    return _ids(FIRST, known=list(known), limit=BATCH)


def still(known: Sequence[int], ids: Sequence[UUID]) -> list[UUID]:
    """Those of the locked uploads that are rejected for these known images, now that it is sure."""
    return _ids(STILL, known=list(known), ids=[str(id_) for id_ in ids])


def recheck_left(settings: Settings) -> int:
    """Send back a batch of the uploads that undone blocks have left; returns their number.

    Safe on several hosts at once: rows are locked in the order of their ids, and the conditions are
    tested again under the locks.
    """
    total = 0
    for moderator_id, undone_at, known in db.execute_sql(UNDONE).fetchall():
        with db.atomic():
            found = _ids(LEFT, known=known, undone_at=undone_at, limit=BATCH)
            locked = lock_all(found)
            rows = [locked[id_] for id_ in still(known, list(locked))]
            for row in sorted(rows, key=author_order):
                recheck(row, moderator_id, settings)
        total += len(rows)
    return total


def recheck(row: Submission, moderator_id: int, settings: Settings) -> None:
    """Undo the machine's rejection of a locked row, its strike included, and owe a full check.

    The checks stopped at the known image, so what the others say is not known. Until a worker has
    made them it is a flag of the review debt, and its client learns that. No worker takes it before
    ``SETTLED`` seconds: a process may hold the removed image in its cache for one more second.
    """
    before: str = row.verdict
    row.verdict, row.visible = REVIEW, row.client.policy(row.surface).shows(REVIEW)
    row.review_owed, row.attempts, row.error = True, 0, None
    write(row, ("review_owed", "attempts", "error"), before)
    later = peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (SETTLED,))
    Submission.update(lease_until=later).where(Submission.id == row.id).execute()
    Decision.append(row, before, reason=UNBLOCKED)
    follow(row, before)
    Audit.append("recheck", str(row.id), moderator_id=moderator_id, before=before, after=REVIEW)


def lock_all(ids: Sequence[UUID]) -> dict[UUID, Submission]:
    """Lock these once, in the order of their ids, so that two transactions cannot deadlock."""
    query = Submission.select().where(Submission.id.in_(list(ids)))
    return {row.id: row for row in query.order_by(Submission.id).for_update()}


def _ids(sql: str, **values: Any) -> list[UUID]:
    return [row[0] for row in db.execute_sql(sql, values).fetchall()]
