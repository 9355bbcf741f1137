"""Retention: purges submissions past their retention time.

Only decided submissions are purged. Flags waiting for review, uploads waiting for checks, and
submissions with a pending delivery are kept until that is done. Times are the database's.
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

# Removed configuration that could be restored, expired sessions, and requests for erasure.
REST = (
    "DELETE FROM rule WHERE removed_at < {limit}",
    "DELETE FROM known_hash WHERE removed_at < {limit} AND picture IS NULL",
    "DELETE FROM moderator_session WHERE expires_at < {limit}",
    "DELETE FROM erasure WHERE finished_at < {limit}",
)


def purge_due(days: int, limit: int) -> int:
    """Purge the oldest submissions past their retention time; returns their number.

    Any number of processes may do it at once: each skips rows that another has locked.
    """
    count, _ = purge(DUE, {"days": days, "limit": limit})
    return int(count)


def purge_rest(days: int) -> int:
    """Delete other data past its retention time; returns the number of rows."""
    limit = "now() - make_interval(days => %(days)s)"
    return sum(db.execute_sql(sql.format(limit=limit), {"days": days}).rowcount for sql in REST)
