"""Rollups: counts committed rows once, into minutes, hours and days.

Uploads count nothing themselves: every ten seconds one statement counts all rows committed since.
Minutes are raw and are deleted after STATS_RAW_DAYS, like the load samples; hours and days are
kept. They contain no personal data, only numbers per client.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.database.connection import db, one
from models.labels.label_index import labels
from models.statistics.counters import CLASSES_AN_OCTAVE, SHORTEST_WAIT

WINDOW = timedelta(hours=1)  # counted at once, so a long backlog is split into short transactions
SLACK = timedelta(seconds=60)  # largest difference between the clock of an id and the database's

# A row has the time at which its transaction began, but is visible only after the commit. So rows
# are counted up to the start of the oldest open transaction. A transaction open for 15 minutes is
# neither an upload nor a decision.
HORIZON = """
SELECT greatest(now() - interval '15 minutes', least(now(),
    (SELECT min(xact_start) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()))) - interval '2 seconds'
"""

ADD = "ON CONFLICT (client_id, at, kind, name, detail) DO UPDATE SET n"
COUNT = f"""
WITH made AS MATERIALIZED (
    SELECT date_trunc('minute', d.created_at) AS at, s.client_id, s.mode, d.*,
        extract(epoch FROM d.created_at - s.created_at)::float AS wait
    FROM decision d JOIN submission s ON s.id = d.submission_id
    WHERE d.created_at >= %(since)s AND d.created_at < %(until)s AND d.reason <> 'erased'
), first AS (SELECT * FROM made WHERE from_verdict IS NULL AND moderator_id IS NULL
), again AS (SELECT * FROM made WHERE from_verdict IS NOT NULL AND moderator_id IS NULL
), counted (client_id, at, kind, name, detail, n) AS (
    SELECT client_id, date_trunc('minute', created_at), 'received', mode, priority, count(*)
    FROM submission WHERE id >= %(first)s AND id < %(last)s
        AND created_at >= %(since)s AND created_at < %(until)s GROUP BY 1, 2, 4, 5
    UNION ALL SELECT client_id, at, 'verdict', to_verdict, mode, count(*)
    FROM first GROUP BY 1, 2, 4, 5
    UNION ALL SELECT client_id, at, 'label',
        CASE WHEN reason = ANY(%(labels)s) THEN reason ELSE 'other' END, to_verdict, count(*)
    FROM first WHERE to_verdict <> 'approved' GROUP BY 1, 2, 4, 5
    UNION ALL SELECT client_id, at, 'wait',
        greatest(0, ceil(%(classes)s * ln(greatest(wait, %(least)s) / %(least)s) / ln(2)))::text,
        '', count(*)
    FROM first GROUP BY 1, 2, 4
    UNION ALL SELECT client_id, at, 'wait_ms', 'sum', '', round(sum(greatest(wait, 0)) * 1000)
    FROM first GROUP BY 1, 2
    UNION ALL SELECT client_id, at, 'changed', to_verdict, from_verdict, count(*)
    FROM again WHERE reason <> 'appeal' GROUP BY 1, 2, 4, 5
    UNION ALL SELECT client_id, at, 'appeal', 'asked', '', count(*)
    FROM again WHERE reason = 'appeal' GROUP BY 1, 2
    UNION ALL SELECT client_id, at, 'person', coalesce(undone.to_verdict, made.to_verdict),
        coalesce(machine.to_verdict, ''), sum(CASE WHEN made.undoes IS NULL THEN 1 ELSE -1 END)
    FROM made
        LEFT JOIN decision undone ON undone.id = made.undoes
        LEFT JOIN LATERAL (
            SELECT m.to_verdict FROM decision m
            WHERE m.submission_id = made.submission_id AND m.id < coalesce(made.undoes, made.id)
                AND m.moderator_id IS NULL AND m.reason NOT IN ('appeal', 'erased')
            ORDER BY m.id DESC LIMIT 1) machine ON true
    WHERE made.moderator_id IS NOT NULL GROUP BY 1, 2, 4, 5
), all_of_it AS MATERIALIZED (
    SELECT whose AS client_id, at, kind, name, detail, sum(n) AS n
    FROM counted, LATERAL (VALUES (client_id), (0)) AS of (whose) GROUP BY 1, 2, 3, 4, 5
), minutes AS (
    INSERT INTO tally SELECT * FROM all_of_it
    WHERE at >= date_trunc('day', now(), 'UTC') - make_interval(days => %(days)s)
    {ADD} = tally.n + excluded.n
), hours AS (
    INSERT INTO tally_hour SELECT client_id, date_trunc('hour', at) AS hour, kind, name, detail,
        sum(n) FROM all_of_it GROUP BY 1, 2, 3, 4, 5 {ADD} = tally_hour.n + excluded.n
), days AS (
    INSERT INTO tally_day SELECT client_id, date_trunc('day', at, 'UTC') AS day, kind, name, detail,
        sum(n) FROM all_of_it GROUP BY 1, 2, 3, 4, 5 {ADD} = tally_day.n + excluded.n
)
UPDATE tally_mark SET counted_to = %(until)s
"""

# Recomputes whole hours from their samples, so it is idempotent.
LOAD_HOURS = """
INSERT INTO load_hour
SELECT date_trunc('hour', at) AS hour, avg(priority + normal), max(priority + normal),
    avg(review_debt), avg(to_review),
    (array_agg(mode ORDER BY array_position(ARRAY['sync','async','fast_track','direct'], mode)
        DESC))[1],
    avg(wait), avg(throughput), avg(workers)
FROM load_sample
WHERE at >= coalesce((SELECT max(at) FROM load_hour) - interval '1 hour', '-infinity')
GROUP BY 1
ON CONFLICT (at) DO UPDATE SET
    depth = excluded.depth, depth_max = excluded.depth_max, review_debt = excluded.review_debt,
    to_review = excluded.to_review, mode = excluded.mode, wait = excluded.wait,
    throughput = excluded.throughput, workers = excluded.workers
"""


def keep_raw(days: int) -> None:
    """Create the raw tables' partitions for the next days and drop those older than ``days``."""
    db.execute_sql("SELECT keep_raw_days(%s)", (days,))


def count(days: int) -> bool:
    """Count rows committed since the last call; returns whether there may be more to count.

    Each row is counted once, with any number of processes and after any crash:
    1. the mark's row is locked; a process that finds it locked does nothing;
    2. the horizon is read under that lock, and the rows by a later statement, which sees everything
       committed before it;
    3. counts and the new mark are one statement in one transaction.
    """
    with db.atomic():
        mark = one("SELECT counted_to FROM tally_mark FOR UPDATE SKIP LOCKED")
        if mark is None:
            return False
        since, until = mark[0], (one(HORIZON) or ())[0]
        if until <= since:
            return False
        until = min(until, since + WINDOW)
        db.execute_sql(COUNT, _window(since, until, days))
    return bool(until == since + WINDOW)


def _window(since: datetime, until: datetime, days: int) -> dict[str, Any]:
    return {
        "since": since,
        "until": until,
        "first": _floor(since - SLACK),
        "last": _floor(until + SLACK),
        "days": days,
        "labels": list(labels.get().names),
        "classes": CLASSES_AN_OCTAVE,
        "least": SHORTEST_WAIT,
    }


def _floor(at: datetime) -> UUID:
    """The lowest id of a submission at that time: ids begin with the time in milliseconds."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def roll_up_load() -> None:
    """Update the hourly table of the load."""
    db.execute_sql(LOAD_HOURS)
