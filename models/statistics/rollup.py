"""Rollups: what happened is counted once, into minutes, hours and days, from the truth's own rows.

Nothing is counted on an upload's way: every ten seconds one statement counts all that was committed
since. The minutes are raw and go after STATS_RAW_DAYS, with the samples of the load; hours and days
stay. There is nothing in them of any person, only numbers by client.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.database.connection import db, one
from models.statistics.counters import CLASSES_AN_OCTAVE, SHORTEST_WAIT
from models.verdict import LABELS

WINDOW = timedelta(hours=1)  # counted at once, so that a long backlog goes in short transactions
SLACK = timedelta(seconds=60)  # between the clock that an id was made by and the database's

# What is committed later than its time shows: a row carries the time at which its transaction began
# and is seen when that ends. So everything is counted up to the begin of the oldest that is open.
# What has been open for a quarter of an hour is no upload and no decision.
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

# Whole hours anew from their samples: doing so twice changes nothing.
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
    """Make the raw rows' partitions of the next days, and drop those of more than ``days`` ago."""
    db.execute_sql("SELECT keep_raw_days(%s)", (days,))


def count(days: int) -> bool:
    """Count what was committed since the last time; whether there may be more to count.

    Each row is counted once, whoever counts and whoever dies:
    1. the mark's row is locked; who finds it locked leaves the counting to the other;
    2. the horizon is read under that lock, and the rows by a later statement, which sees all that
       was committed before it;
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
        "labels": list(LABELS),
        "classes": CLASSES_AN_OCTAVE,
        "least": SHORTEST_WAIT,
    }


def _floor(at: datetime) -> UUID:
    """The least id of a submission of that time: ids begin with it, in milliseconds."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def roll_up_load() -> None:
    """Bring the hours of the load up to now."""
    db.execute_sql(LOAD_HOURS)
