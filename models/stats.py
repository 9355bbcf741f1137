"""Statistics: samples of the load for charts, and counts of verdicts over time."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import peewee

from models.db import Model, db


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
        """Store the load of this moment."""
        cls.insert(at=peewee.fn.now(), **load).execute()

    @classmethod
    def purge(cls, days: int) -> int:
        """Remove samples older than some days; returns how many."""
        old = peewee.fn.now() - peewee.SQL("make_interval(days => %s)", (days,))
        return int(cls.delete().where(cls.at < old).execute())


def samples(minutes: int, points: int = 180) -> list[dict[str, Any]]:
    """The last minutes in at most ``points`` steps: means of numbers, the worst mode."""
    rows = db.execute_sql(
        "SELECT extract(epoch FROM date_bin(%(step)s * interval '1 second', at, 'epoch'))::bigint,"
        " round(avg(priority + normal)), max(priority + normal), avg(wait), avg(throughput),"
        " round(avg(to_review)), round(avg(review_debt)),"
        " (array_agg(mode ORDER BY array_position(ARRAY['sync','async','fast_track','direct'],"
        " mode) DESC))[1]"
        " FROM load_sample WHERE at > now() - %(minutes)s * interval '1 minute'"
        " GROUP BY 1 ORDER BY 1",
        {"step": max(10, minutes * 60 // points), "minutes": minutes},
    ).fetchall()
    names = ("at", "depth", "depth_max", "wait", "throughput", "to_review", "debt", "mode")
    return [dict(zip(names, (_plain(v) for v in row), strict=True)) for row in rows]


def verdicts(minutes: int, bars: int = 24) -> list[dict[str, Any]]:
    """How many submissions were decided, by present verdict, in ``bars`` equal steps."""
    rows = db.execute_sql(
        "SELECT width_bucket(extract(epoch FROM now() - decided_at), 0, %(span)s, %(bars)s) AS b,"
        " count(*) FILTER (WHERE verdict = 'approved'),"
        " count(*) FILTER (WHERE verdict = 'review'),"
        " count(*) FILTER (WHERE verdict = 'rejected')"
        " FROM submission WHERE decided_at > now() - %(span)s * interval '1 second' GROUP BY b",
        {"span": minutes * 60, "bars": bars},
    ).fetchall()
    found = {row[0]: row[1:] for row in rows}
    counts = [found.get(bar, (0, 0, 0)) for bar in range(bars, 0, -1)]
    return [{"approved": c[0], "review": c[1], "rejected": c[2]} for c in counts]


def decided_since(seconds: int) -> int:
    """How many submissions were decided in the last seconds."""
    return int(
        db.execute_sql(
            "SELECT count(*) FROM submission WHERE decided_at > now() - make_interval(secs => %s)",
            (seconds,),
        ).fetchone()[0]
    )


def received_since(seconds: float) -> int:
    """How many submissions came in during the last seconds."""
    floor = UUID(int=int((time.time() - seconds - 60) * 1000) << 80)  # ids begin with their time
    return int(
        db.execute_sql(
            "SELECT count(*) FROM submission"
            " WHERE id >= %s AND created_at > now() - make_interval(secs => %s)",
            (floor, seconds),
        ).fetchone()[0]
    )


def count_undone() -> int:
    """Submissions that wait for a worker, those that owe their full checks too."""
    return int(
        db.execute_sql(
            "SELECT (SELECT count(*) FROM submission WHERE status IN ('received', 'queued'))"
            " + (SELECT count(*) FROM submission WHERE review_owed)"
        ).fetchone()[0]
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)
