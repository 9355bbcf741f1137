"""Counts over the last hour, day, week, month or year, read from the rollups.

Each span is read from the coarsest sufficient counts, so a year costs as much as an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.database.connection import db
from models.statistics.counters import Counts, total

MINUTE, HOUR, DAY = 60, 3600, 86400
EVERYBODY = 0  # the client id of the counts of all clients combined
BINNED = """
SELECT extract(epoch FROM date_bin(
        %(step)s * interval '1 second', at, '2001-01-01T00:00:00Z'))::bigint AS step,
    kind, name, detail, sum(n)::bigint
FROM {table} WHERE client_id = %(client)s
    AND at >= to_timestamp(%(first)s) AND at <= now()
GROUP BY 1, 2, 3, 4
"""
QUERIES = {table: BINNED.format(table=table) for table in ("tally", "tally_hour", "tally_day")}
MONDAY = 978_307_200  # 2001-01-01T00:00:00Z, the origin of the steps


@dataclass(frozen=True, slots=True)
class Span:
    """A time span up to now: its number of steps, seconds per step, and the table of counts."""

    name: str
    steps: int
    seconds: int
    table: str


SPANS = {
    span.name: span
    for span in (
        Span("hour", 60, MINUTE, "tally"),
        Span("day", 48, 30 * MINUTE, "tally"),
        Span("week", 56, 3 * HOUR, "tally_hour"),
        Span("month", 60, 12 * HOUR, "tally_hour"),
        Span("year", 52, 7 * DAY, "tally_day"),
    )
}


@dataclass(frozen=True, slots=True)
class History:
    """The counts of a span by the start of each step (epoch seconds); the last step is not over."""

    span: Span
    until: int
    points: dict[int, Counts]

    @property
    def total(self) -> Counts:
        """The whole span's counts."""
        return total(self.points.values())

    def as_dict(self) -> dict[str, Any]:
        """As JSON: ``range``, ``step`` (s), ``until``, ``points`` and the ``total``."""
        points = [{"at": at, **counts.as_dict()} for at, counts in self.points.items()]
        head = {"range": self.span.name, "step": self.span.seconds, "until": self.until}
        return {**head, "points": points, "total": self.total.as_dict()}


def read(span: Span, client_id: int = EVERYBODY) -> History:
    """The counts of a span, for one client or for all."""
    now = int(db.execute_sql("SELECT extract(epoch FROM now())").fetchone()[0])
    last = now - (now - MONDAY) % span.seconds
    first = last - (span.steps - 1) * span.seconds
    points = {at: Counts() for at in range(first, last + 1, span.seconds)}
    values = {"step": span.seconds, "client": client_id, "first": first}
    for at, kind, name, detail, n in db.execute_sql(QUERIES[span.table], values).fetchall():
        if at in points:  # a new step may just have begun
            points[at][kind, name, detail] += n
    return History(span, now, points)
