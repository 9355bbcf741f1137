"""Readings of the server's state from the database, for alerts and metrics."""

from __future__ import annotations

from models.database.connection import db, one

READINGS = """
SELECT 100.0 * (SELECT sum(numbackends) FROM pg_stat_database)
         / (current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int),
       extract(epoch FROM now() - (SELECT min(created_at) FROM submission WHERE review_owed)),
       extract(epoch FROM now() - (SELECT min(created_at) FROM submission
                                   WHERE verdict = 'review' AND NOT review_owed)),
       (SELECT count(*) FROM delivery WHERE state = 'dead' AND due_at > now() - interval '1 day')
"""
NAMES = ("database_connections", "review_debt_age", "oldest_flag_age", "dead_deliveries")


COUNTS = """
SELECT (SELECT count(*) FROM delivery WHERE state = 'owed'),
       (SELECT count(*) FROM delivery WHERE state = 'dead')
"""
CONNECTIONS = """
SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' GROUP BY 1
"""


def deliveries() -> tuple[int, int]:
    """The numbers of owed and of dead webhook deliveries."""
    row = one(COUNTS) or (0, 0)
    return int(row[0]), int(row[1])


def quarantined() -> int:
    """The number of submissions that failed at every attempt and are not decided yet."""
    row = one("SELECT count(*) FROM submission WHERE status = 'quarantined'") or (0,)
    return int(row[0])


def connections() -> tuple[dict[str, int], int]:
    """PostgreSQL's connections by state, and its max_connections."""
    most = one("SELECT current_setting('max_connections')::int") or (0,)
    return dict(db.execute_sql(CONNECTIONS).fetchall()), int(most[0])


def read() -> dict[str, float]:
    """The readings by alert rule.

    Connections in use in percent, the age of the oldest review debt and of the oldest open flag in
    seconds (0 if there is none), and the number of deliveries that became dead within a day.
    """
    row = one(READINGS) or ()
    return {name: float(value or 0) for name, value in zip(NAMES, row, strict=False)}


def standby_silent() -> float | None:
    """Seconds since a standby process last stored a load sample; None before the first."""
    row = one("SELECT extract(epoch FROM now() - max(at)) FROM load_sample")
    return float(row[0]) if row and row[0] is not None else None
