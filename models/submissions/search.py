"""Search among the submissions, newest first, at a cost that grows with neither them nor the page.

A page is read by a **walk**: the index of the rarest value that is asked for holds its submissions
in the order of their ids (a uuid v7 begins with its time), and the walk goes back along it from
where the last page ended, testing the other conditions on each row. It stops when the page is
full, or after ``STEP`` rows: then the page says how far back it looked, and the next one goes on
there. So no combination of filters, however empty, is a long query.

The planner is left no choice that could go wrong: the walk is a subquery with a LIMIT, into which
no other condition is pushed; tests of other tables are scalar subqueries, which are never turned
into joins; and a merge of several indexes is one of parts that each have an order and a LIMIT.

A word that is rare among the newest is looked up in the index of words instead.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from models.clients.client import Client
from models.database.connection import connection, db
from models.submissions.search_conditions import (
    SCORED,
    Condition,
    Search,
    bucket_of,
    frequency,
    lexemes_of,
    midnight,
    plan,
    tsquery,
)
from models.submissions.submission import Submission

Query = tuple[str, tuple[Any, ...]]

PAGE = 50  # rows of a page
STEP = 5_000  # rows that one walk looks at
FIRST_STEP = 1_000  # of a walk for words, before their index is asked
COMMON = 3  # matches in a first walk after which a word is not looked for in all hours at once
MOST_MATCHES = 4_000  # that are taken from the index of words at once
EVERY_HOUR = 1 << 15  # at once: more hours than anything is kept
MOST_OF_AN_HOUR = 1_000_000
DAY = 24
HOUR = 3_600_000  # in the milliseconds of an id
BUDGET = 0.03  # seconds within which a search for words tells what it has, and goes on later
SKEW = timedelta(minutes=1)  # by which an id, made by a web process, may differ from created_at


@dataclass(frozen=True, slots=True)
class Page:
    """Rows found, newest first; ``next`` is where to go on, None at the end.

    Where the page is not ``full`` and there is a next, the walk has looked as far as that.
    """

    ids: list[UUID]
    next: UUID | None
    full: bool

    def rows(self) -> list[Submission]:
        """The submissions with their clients."""
        found = Submission.select(Submission, Client).join(Client).where(Submission.id << self.ids)
        return sorted(found, key=lambda row: row.id, reverse=True) if self.ids else []

    @property
    def looked_back_to(self) -> datetime | None:
        """The time of the last row that was looked at."""
        return time_of(self.next) if self.next else None


def page(wanted: Search, after: UUID | None = None, limit: int = PAGE) -> Page:
    """A page of what is looked for, from the newest or below ``after``."""
    lexemes = lexemes_of(wanted.text)
    driver, tests = plan(wanted, lexemes)
    low, high = _bounds(wanted, after)
    steps = FIRST_STEP if lexemes else STEP
    source = _source(driver, wanted, str(low), str(high), steps)
    ids = _walk(source, tests, limit + 1)
    if len(ids) > limit:
        return Page(ids[:limit], ids[limit - 1], full=True)
    end = _end_of(source, steps)
    if end is None or not lexemes:
        return Page(ids, end, full=False)
    # the index reads all matches before it gives the first few: a common word is not asked about
    common = len(lexemes) == 1 and frequency(lexemes[0]) > MOST_MATCHES
    hours = DAY if len(ids) >= COMMON or common else EVERY_HOUR
    return _by_words(lexemes, [driver, *tests], low, high, limit, hours)


def count(wanted: Search, most: int = 1000) -> tuple[int, bool]:
    """How many there are up to ``most`` and one, and whether that is all of them."""
    found = page(wanted, limit=most)
    return (most + 1, False) if found.full else (len(found.ids), found.next is None)


def everything(wanted: Search, step: int = 500) -> Iterator[list[Submission]]:
    """All that is looked for, in steps.

    Each step is a short query of its own, with the connection given back behind it: neither a
    cursor nor a snapshot stays open while a slow reader takes a million rows.
    """
    after = None
    while True:
        with connection():
            found = page(wanted, after, step)
            rows = found.rows()
        if rows:
            yield rows
        if found.next is None:
            return
        after = found.next


def time_of(submission_id: UUID) -> datetime:
    """When an id was made."""
    return datetime.fromtimestamp((submission_id.int >> 80) / 1000, UTC)


def id_at(moment: datetime) -> UUID:
    """The lowest id of a moment."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def _bounds(wanted: Search, after: UUID | None) -> tuple[UUID, UUID]:
    low, high = UUID(int=0), after or UUID(int=(1 << 128) - 1)
    if wanted.since:
        low = id_at(midnight(wanted.since) - SKEW)
    if wanted.until:
        high = min(high, id_at(midnight(wanted.until) + timedelta(days=1) + SKEW))
    return low, high


BETWEEN = "{0} >= %s AND {0} < %s ORDER BY {0} DESC LIMIT %s"
BY_FINDING = f"""
SELECT s.* FROM (
    SELECT DISTINCT f.submission_id FROM finding f
    WHERE {{}} AND {BETWEEN.format("f.submission_id")}) d
CROSS JOIN LATERAL (SELECT * FROM submission WHERE id = d.submission_id OFFSET 0) s
"""
BY_SCORE = f"""(
    SELECT * FROM submission WHERE score >= {SCORED} AND floor(score * 10) = {{}}
    AND {BETWEEN.format("id")})
"""


def _source(driver: Condition, wanted: Search, low: str, high: str, steps: int) -> Query:
    """The rows that the driver leads through, newest first, between two ids."""
    between = (low, high, steps)
    if driver.leads == "finding":
        return BY_FINDING.format(driver.by), (*driver.values, *between)
    if driver.leads == "score":  # each bucket is in order; the planner merges them as they come
        first = 0.0 if wanted.score_from is None else wanted.score_from
        last = 1.0 if wanted.score_to is None else wanted.score_to
        buckets = range(bucket_of(first), bucket_of(last) + 1)
        merged = " UNION ALL ".join(BY_SCORE.format(bucket) for bucket in buckets)
        sql = f"SELECT s.* FROM ({merged}) s ORDER BY s.id DESC LIMIT %s"
        return sql, (*between * len(buckets), steps)
    sql = f"SELECT s.* FROM submission s WHERE {driver.by or driver.sql} AND "
    return sql + BETWEEN.format("s.id"), (*driver.values, *between)


def _walk(source: Query, tests: list[Condition], limit: int) -> list[UUID]:
    sql, values = source
    condition = " AND ".join([test.sql for test in tests] or ["true"])
    sql = f"SELECT s.id FROM ({sql}) s WHERE {condition} ORDER BY s.id DESC LIMIT %s"
    return _ids(sql, values, tests, limit)


def _end_of(source: Query, steps: int) -> UUID | None:
    """The last row that a walk of so many steps looks at; None where it comes to the end."""
    sql, values = source
    found = _ids(f"SELECT s.id FROM ({sql}) s OFFSET %s LIMIT 1", values, [], steps - 1)
    return found[0] if found else None


def _ids(sql: str, values: Iterable[Any], tests: list[Condition], last: int) -> list[UUID]:
    every = [*values, *(value for test in tests for value in test.values), last]
    return [row[0] for row in db.execute_sql(sql, every).fetchall()]


def _by_words(
    lexemes: list[str], conditions: list[Condition], low: UUID, high: UUID, limit: int, hours: int
) -> Page:
    """A page from the index of words, which is in no order: back in time, so many hours at once.

    They become as many as hold some thousand matches; so a word that nobody uses any more, and
    which all used once, is found where it was.
    """
    found: list[UUID] = []
    began = time.monotonic()
    low, high = _narrowed(low, high)
    while high > low:
        step_began = time.monotonic()
        first = max(low, _hours_before(high, hours))
        matches = _matches(lexemes, first, high, hours)
        if matches is None:
            hours = DAY if hours == EVERY_HOUR else max(1, hours // 8)
            continue
        found += _among(matches, conditions, limit + 1 - len(found))
        if len(found) > limit:
            return Page(found[:limit], found[limit - 1], full=True)
        high = first
        now = time.monotonic()
        if now - began + (now - step_began) > BUDGET:  # the next step takes no less than this one
            return Page(found, high if high > low else None, full=False)
        if hours < EVERY_HOUR and len(matches) * 8 < MOST_MATCHES:
            hours = min(4 * DAY, 2 * hours)
    return Page(found, None, full=False)


def _narrowed(low: UUID, high: UUID) -> tuple[UUID, UUID]:
    """The same range without the time before the oldest submission and after the newest."""
    oldest, newest = db.execute_sql(
        "SELECT (SELECT id FROM submission ORDER BY id LIMIT 1),"
        " (SELECT id FROM submission ORDER BY id DESC LIMIT 1)"
    ).fetchone()
    return max(low, oldest), min(high, UUID(int=newest.int + 1))


def _hours_before(moment: UUID, hours: int) -> UUID:
    """The lowest id of the hour that lies so many before, that of the moment included."""
    last = ((moment.int - 1) >> 80) // HOUR
    return UUID(int=max(0, last - hours + 1) * HOUR << 80)


def _matches(lexemes: list[str], low: UUID, high: UUID, hours: int) -> list[UUID] | None:
    """The submissions with these words between two ids; None where they are too many.

    Of a single hour all are taken, however many.
    """
    query = tsquery(lexemes)
    if hours < EVERY_HOUR:
        first, last = (low.int >> 80) // HOUR, ((high.int - 1) >> 80) // HOUR
        names = " | ".join(f"'hour {hour}'" for hour in range(first, last + 1))
        query = f"{query} & ({names})"
    most = MOST_MATCHES if hours > 1 else MOST_OF_AN_HOUR
    rows = db.execute_sql(
        "SELECT submission_id FROM submission_words WHERE words @@ %s::tsquery"
        " AND submission_id >= %s AND submission_id < %s LIMIT %s",
        (query, str(low), str(high), most + 1),
    ).fetchall()
    return [row[0] for row in rows] if hours == 1 or len(rows) <= most else None


def _among(ids: list[UUID], conditions: list[Condition], limit: int) -> list[UUID]:
    """The newest of these submissions for which all conditions hold."""
    condition = " AND ".join(test.sql for test in conditions)
    values: list[Any] = [[str(known) for known in sorted(ids, reverse=True)]]
    for test in conditions:
        values += test.values
    sql = (
        "SELECT s.id FROM unnest(%s::uuid[]) WITH ORDINALITY AS known (id, place)"
        " CROSS JOIN LATERAL (SELECT * FROM submission WHERE id = known.id OFFSET 0) s"
        f" WHERE {condition} LIMIT %s"
    )
    return [row[0] for row in db.execute_sql(sql, [*values, limit]).fetchall()]
