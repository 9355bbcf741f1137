"""Retention: what has been kept for its time is due to go.

Only what is decided: a flag that waits for a person, an upload that waits for its checks, and one
whose client has not heard its verdict yet are kept until that is done. The time is the database's.
"""

from __future__ import annotations

from models.database.connection import db
from models.privacy.purge import purge

DUE = """
SELECT id FROM submission
WHERE purged_at IS NULL AND NOT review_owed AND verdict IN ('approved', 'rejected')
  AND created_at < now() - make_interval(days => %(days)s)
  AND NOT EXISTS (SELECT FROM delivery
      WHERE delivery.submission_id = submission.id AND delivery.state = 'owed')
ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""

# What was removed from the configuration and could be brought back, sessions that are over, and
# what is known of authors who were erased.
REST = (
    "DELETE FROM rule WHERE removed_at < {limit}",
    "DELETE FROM known_hash WHERE removed_at < {limit} AND picture IS NULL",
    "DELETE FROM moderator_session WHERE expires_at < {limit}",
    "DELETE FROM erasure WHERE finished_at < {limit}",
)


def purge_due(days: int, limit: int) -> int:
    """Purge the oldest submissions that are past their days; returns how many.

    Any number of processes may do so at once: each takes rows that no other holds, and whoever
    works on one is not waited for.
    """
    count, _ = purge(DUE, {"days": days, "limit": limit})
    return int(count)


def purge_rest(days: int) -> int:
    """Delete what else is past its days; returns how many rows."""
    limit = "now() - make_interval(days => %(days)s)"
    return sum(db.execute_sql(sql.format(limit=limit), {"days": days}).rowcount for sql in REST)
