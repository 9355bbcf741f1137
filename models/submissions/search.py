"""Searches submissions, newest first, at a bounded cost per page.

A page is read by a **walk** along an index. The index of the rarest requested value lists its
submissions by id (a UUIDv7 begins with the time). The walk starts where the last page ended and
tests the other conditions on each row. It stops when the page is full or after ``STEP`` rows; then
the page says how far back it has searched, and the next page continues there. So no combination of
filters makes a long query.

The SQL leaves the planner no bad choice: the walk is a subquery with a LIMIT, so no other
condition is pushed into it; tests on other tables are scalar subqueries, which never become joins;
and a merge of several indexes has an ORDER BY and a LIMIT in each part.

A word that is rare among the newest submissions is looked up in the index of words instead.
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

PAGE = 50  # rows per page
STEP = 5_000  # rows that one walk reads
FIRST_STEP = 1_000  # rows that a walk for words reads before it uses the index of words
COMMON = 3  # matches in the first walk from which on a word is not searched in all hours at once
MOST_MATCHES = 4_000  # matches taken from the index of words at once
EVERY_HOUR = 1 << 15  # all hours at once: more than the longest retention
MOST_OF_AN_HOUR = 1_000_000
DAY = 24
HOUR = 3_600_000  # milliseconds, the unit of time in ids
BUDGET = 0.03  # seconds after which a search for words returns what it has
SKEW = timedelta(minutes=1)  # the largest difference between an id's time and created_at


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Matching rows, newest first; ``next`` is where to continue, None at the end.

    If the page is not ``full`` and has a ``next``, the walk has searched back to there.
    """

    ids: list[UUID]
    next: UUID | None
    full: bool

    def rows(self) -> list[Submission]:
        """The submissions with their clients."""
        rows = Submission.select(Submission, Client).join(Client).where(Submission.id << self.ids)
        return sorted(rows, key=lambda row: row.id, reverse=True) if self.ids else []

    @property
    def looked_back_to(self) -> datetime | None:
        """The time of the last row that was read."""
        return time_of(self.next) if self.next else None


def page(criteria: Search, after: UUID | None = None, limit: int = PAGE) -> SearchPage:
    """A page of matches, from the newest or from ids below ``after``."""
    lexemes = lexemes_of(criteria.text)
    driver, tests = plan(criteria, lexemes)
    low, high = _bounds(criteria, after)
    steps = FIRST_STEP if lexemes else STEP
    source = _source(driver, criteria, str(low), str(high), steps)
    ids = _walk(source, tests, limit + 1)
    if len(ids) > limit:
        return SearchPage(ids[:limit], ids[limit - 1], full=True)
    end = _end_of(source, steps)
    if end is None or not lexemes:
        return SearchPage(ids, end, full=False)
    # the index reads all matches before it returns the first: common words are not looked up
    common = len(lexemes) == 1 and frequency(lexemes[0]) > MOST_MATCHES
    hours = DAY if len(ids) >= COMMON or common else EVERY_HOUR
    return _by_words(lexemes, [driver, *tests], low, high, limit, hours)


def count(criteria: Search, most: int = 1000) -> tuple[int, bool]:
    """The number of matches, at most ``most`` + 1, and whether that is all of them."""
    first = page(criteria, limit=most)
    return (most + 1, False) if first.full else (len(first.ids), first.next is None)


def everything(criteria: Search, step: int = 500) -> Iterator[list[Submission]]:
    """All matches, in batches.

    Each batch is a short query, and the connection is released after it. So a slow reader of a
    million rows keeps neither a cursor nor a snapshot open.
    """
    after = None
    while True:
        with connection():
            batch = page(criteria, after, step)
            rows = batch.rows()
        if rows:
            yield rows
        if batch.next is None:
            return
        after = batch.next


def time_of(submission_id: UUID) -> datetime:
    """The creation time of an id."""
    return datetime.fromtimestamp((submission_id.int >> 80) / 1000, UTC)


def id_at(moment: datetime) -> UUID:
    """The lowest id of a moment."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def _bounds(criteria: Search, after: UUID | None) -> tuple[UUID, UUID]:
    low, high = UUID(int=0), after or UUID(int=(1 << 128) - 1)
    if criteria.since:
        low = id_at(midnight(criteria.since) - SKEW)
    if criteria.until:
        high = min(high, id_at(midnight(criteria.until) + timedelta(days=1) + SKEW))
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


def _source(driver: Condition, criteria: Search, low: str, high: str, steps: int) -> Query:
    """The rows along the driver's index, newest first, between two ids."""
    between = (low, high, steps)
    if driver.leads == "finding":
        return BY_FINDING.format(driver.by), (*driver.values, *between)
    if driver.leads == "score":  # each bucket is sorted; the planner merges them
        first = 0.0 if criteria.score_from is None else criteria.score_from
        last = 1.0 if criteria.score_to is None else criteria.score_to
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
    """The last row that a walk of so many steps reads; None if it reaches the end."""
    sql, values = source
    ids = _ids(f"SELECT s.id FROM ({sql}) s OFFSET %s LIMIT 1", values, [], steps - 1)
    return ids[0] if ids else None


def _ids(sql: str, values: Iterable[Any], tests: list[Condition], last: int) -> list[UUID]:
    every = [*values, *(value for test in tests for value in test.values), last]
    return [row[0] for row in db.execute_sql(sql, every).fetchall()]


def _by_words(
    lexemes: list[str], conditions: list[Condition], low: UUID, high: UUID, limit: int, hours: int
) -> SearchPage:
    """A page from the unordered index of words, going back in time by ``hours`` at once.

    The number of hours adapts until a step returns some thousand matches. So a word that was common
    long ago and is not used today is still found.
    """
    ids: list[UUID] = []
    began = time.monotonic()
    low, high = _narrowed(low, high)
    while high > low:
        step_began = time.monotonic()
        first = max(low, _hours_before(high, hours))
        matches = _matches(lexemes, first, high, hours)
        if matches is None:
            hours = DAY if hours == EVERY_HOUR else max(1, hours // 8)
            continue
        ids += _among(matches, conditions, limit + 1 - len(ids))
        if len(ids) > limit:
            return SearchPage(ids[:limit], ids[limit - 1], full=True)
        high = first
        now = time.monotonic()
        if now - began + (now - step_began) > BUDGET:  # the next step takes at least as long
            return SearchPage(ids, high if high > low else None, full=False)
        if hours < EVERY_HOUR and len(matches) * 8 < MOST_MATCHES:
            hours = min(4 * DAY, 2 * hours)
    return SearchPage(ids, None, full=False)


def _narrowed(low: UUID, high: UUID) -> tuple[UUID, UUID]:
    """The range, cut to the times of the oldest and newest submission."""
    oldest, newest = db.execute_sql(
        "SELECT (SELECT id FROM submission ORDER BY id LIMIT 1),"
        " (SELECT id FROM submission ORDER BY id DESC LIMIT 1)"
    ).fetchone()
    return max(low, oldest), min(high, UUID(int=newest.int + 1))


def _hours_before(moment: UUID, hours: int) -> UUID:
    """The lowest id of the hour ``hours`` back, counting the moment's own hour."""
    last = ((moment.int - 1) >> 80) // HOUR
    return UUID(int=max(0, last - hours + 1) * HOUR << 80)


def _matches(lexemes: list[str], low: UUID, high: UUID, hours: int) -> list[UUID] | None:
    """The submissions with these words between two ids; None if there are too many.

    A single hour returns all its matches, however many.
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
    """The newest of these submissions that meet all conditions."""
    condition = " AND ".join(test.sql for test in conditions)
    values: list[Any] = [[str(id_) for id_ in sorted(ids, reverse=True)]]
    for test in conditions:
        values += test.values
    sql = (
        "SELECT s.id FROM unnest(%s::uuid[]) WITH ORDINALITY AS matched (id, position)"
        " CROSS JOIN LATERAL (SELECT * FROM submission WHERE id = matched.id OFFSET 0) s"
        f" WHERE {condition} LIMIT %s"
    )
    return [row[0] for row in db.execute_sql(sql, [*values, limit]).fetchall()]
