"""Samples of the load for charts, and counts of recent submissions."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import peewee

from models.database.connection import Model, db


class LoadSample(Model):
    """The load at one moment."""

    at = peewee.DateTimeField(primary_key=True)
    priority = peewee.IntegerField()
    normal = peewee.IntegerField()
    review_debt = peewee.IntegerField()
    to_review = peewee.IntegerField()
    mode = peewee.TextField()
    wait = peewee.FloatField()
    throughput = peewee.FloatField()
    workers = peewee.IntegerField()

    @classmethod
    def take(cls, **load: Any) -> None:
        """Store a sample of the current load."""
        cls.insert(at=peewee.fn.now(), **load).execute()


MODE = """(array_agg(mode ORDER BY array_position(
    ARRAY['sync','async','fast_track','direct'], mode) DESC))[1]"""
STEP = "extract(epoch FROM date_bin(%(step)s * interval '1 second', at, 'epoch'))::bigint"
SINCE = "now() - %(minutes)s * interval '1 minute'"
FROM_SAMPLES = f"""
SELECT {STEP}, round(avg(priority + normal)), max(priority + normal), avg(wait), avg(throughput),
    round(avg(to_review)), round(avg(review_debt)), {MODE}
FROM load_sample WHERE at > {SINCE} GROUP BY 1 ORDER BY 1
"""
FROM_HOURS = f"""
SELECT {STEP}, round(avg(depth)), max(depth_max), avg(wait), avg(throughput),
    round(avg(to_review)), round(avg(review_debt)), {MODE}
FROM load_hour WHERE at > {SINCE} GROUP BY 1 ORDER BY 1
"""
RAW_MINUTES = 24 * 60  # longer spans are read from the hourly table


def samples(minutes: int, points: int = 180) -> list[dict[str, Any]]:
    """The last minutes in at most ``points`` steps, with means of numbers and the worst mode."""
    raw = minutes <= RAW_MINUTES
    step = max(10 if raw else 3600, minutes * 60 // points)
    sql = FROM_SAMPLES if raw else FROM_HOURS
    rows = db.execute_sql(sql, {"step": step, "minutes": minutes}).fetchall()
    names = ("at", "depth", "depth_max", "wait", "throughput", "to_review", "debt", "mode")
    return [dict(zip(names, (_plain(v) for v in row), strict=True)) for row in rows]


def decided_since(seconds: int) -> int:
    """The number of submissions decided in the last ``seconds``."""
    return int(
        db.execute_sql(
            "SELECT count(*) FROM submission WHERE decided_at > now() - make_interval(secs => %s)",
            (seconds,),
        ).fetchone()[0]
    )


def received_since(seconds: float) -> int:
    """The number of submissions received in the last ``seconds``."""
    floor = UUID(int=int((time.time() - seconds - 60) * 1000) << 80)  # ids begin with their time
    return int(
        db.execute_sql(
            "SELECT count(*) FROM submission"
            " WHERE id >= %s AND created_at > now() - make_interval(secs => %s)",
            (floor, seconds),
        ).fetchone()[0]
    )


def count_waiting() -> int:
    """The number of submissions waiting for a worker, including the review debt."""
    return int(
        db.execute_sql(
            "SELECT (SELECT count(*) FROM submission WHERE status IN ('received', 'queued'))"
            " + (SELECT count(*) FROM submission WHERE review_owed)"
        ).fetchone()[0]
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)
