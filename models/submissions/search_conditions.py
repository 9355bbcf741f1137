"""Search criteria as SQL conditions that a walk can follow or test."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from models.database.connection import db
from models.expiring_values import ExpiringValues
from models.policies.policy import DEFAULT_SURFACE

SHORTEST_PREFIX = 3  # shorter words must match exactly
OPEN = ("received", "queued", "processing")
SCORED = 0.1  # lower scores are not indexed: nearly every harmless picture has one
CACHED_FOR = 60.0  # seconds for which PostgreSQL's column statistics are cached
_cached = ExpiringValues()


@dataclass(frozen=True, slots=True)
class Search:
    """Search criteria; None matches anything. Days are in UTC, both included."""

    client_id: int | None = None
    user_id: str | None = None
    verdict: str | None = None
    status: str | None = None
    mode: str | None = None
    surface: str | None = None
    check: str | None = None
    label: str | None = None
    score_from: float | None = None
    score_to: float | None = None
    since: date | None = None
    until: date | None = None
    text: str | None = None
    images: bool | None = None
    owed: bool | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL with its values, and the estimated share of all rows that meet it.

    ``leads`` names the index that a walk can follow: ``row`` (of submissions; ``by`` is its SQL if
    different), ``finding`` or ``score``; empty if there is none.
    """

    sql: str
    values: tuple[Any, ...] = ()
    share: float = 1.0
    leads: str = ""
    by: str = ""


def plan(criteria: Search, lexemes: list[str]) -> tuple[Condition, list[Condition]]:
    """The rarest condition, whose index the walk follows, and the conditions that it tests."""
    conditions = [*_of_row(criteria), *_of_score(criteria), *_of_others(criteria)]
    if criteria.text:
        conditions.append(_of_text(criteria.text, lexemes))
    all_of_them = Condition("true", leads="row")
    driver = min([c for c in conditions if c.leads] + [all_of_them], key=lambda c: c.share)
    return driver, [c for c in conditions if c is not driver or c.leads == "score"]


def _of_row(criteria: Search) -> Iterator[Condition]:
    for name in ("client_id", "verdict", "mode"):
        value = getattr(criteria, name)
        if value is not None:
            share = _shares("submission", name).get(str(value), 0.001)
            yield _leading(f"s.{name} = %s", value, share=share)
    if criteria.surface == DEFAULT_SURFACE:
        yield Condition("s.surface = ''")
    elif criteria.surface:
        share = _shares("submission", "surface").get(criteria.surface, 0.001)
        whose = "s.client_id IN (SELECT id FROM client)"  # the index is by client and surface
        its = "s.surface <> '' AND s.surface = %s"
        yield Condition(its, (criteria.surface,), share, "row", f"{whose} AND {its}")
    if criteria.user_id is not None:
        whose = "s.client_id IN (SELECT id FROM client)"  # the index is by client and author
        if criteria.client_id is not None:
            whose = f"s.client_id = {int(criteria.client_id)}"
        mine = "s.user_id = %s"
        yield Condition(mine, (criteria.user_id,), 0.0, "row", f"{whose} AND {mine}")
    if criteria.status == "quarantined":
        yield _leading("s.status = 'quarantined'", share=0.0005)
    elif criteria.status in OPEN:
        yield _leading("s.status = %s", criteria.status, share=0.0005)
    elif criteria.status:
        yield Condition("s.status = %s", (criteria.status,))
    if criteria.owed:
        yield _leading("s.review_owed", share=_shares("submission", "review_owed").get("t", 0.001))
    elif criteria.owed is False:
        yield Condition("NOT s.review_owed")
    if criteria.since:
        yield Condition("s.created_at >= %s", (midnight(criteria.since),))
    if criteria.until:
        yield Condition("s.created_at < %s", (midnight(criteria.until) + timedelta(days=1),))


def _leading(sql: str, *values: Any, share: float) -> Condition:
    return Condition(sql, values, share, "row")


def _of_score(criteria: Search) -> Iterator[Condition]:
    low, high = criteria.score_from, criteria.score_to
    if low is None and high is None:
        return
    parts = []
    values = []
    if low is not None:
        parts.append("s.score >= %s::real")
        values.append(low)
    if high is not None:
        parts.append("s.score <= %s::real")
        values.append(high)
    share = 0.2 * ((1.0 if high is None else high) - (low or 0.0))
    leads = "score" if low is not None and low >= SCORED else ""
    yield Condition(" AND ".join(parts), tuple(values), share, leads)


def bucket_of(score: float) -> int:
    """The bucket of a score as stored, in four bytes: there 0.7 is slightly less."""
    return int(struct.unpack("f", struct.pack("f", score))[0] * 10)


def _of_others(criteria: Search) -> Iterator[Condition]:
    """Conditions on other tables: findings other than notes, and images."""
    named = [(n, v) for n, v in (("check", criteria.check), ("label", criteria.label)) if v]
    if named:
        parts = " AND ".join(f'f."{name}" = %s' for name, _ in named)
        values = tuple(value for _, value in named)
        shares = [_shares("finding", name).get(value, 0.001) for name, value in named]
        asked = f"f.action <> 'note' AND {parts}"
        yield Condition(
            f"(SELECT true FROM finding f WHERE f.submission_id = s.id AND {asked} LIMIT 1)",
            values,
            min(shares),
            "finding",
            asked,
        )
    if criteria.images is not None:
        has = "(SELECT true FROM image i WHERE i.submission_id = s.id LIMIT 1)"
        yield Condition(f"{has} IS {'' if criteria.images else 'NOT '}TRUE")


def _of_text(text: str, lexemes: list[str]) -> Condition:
    if not lexemes:  # only symbols, which the index of words does not contain
        return Condition("strpos(s.title || ' ' || s.description, %s) > 0", (text,))
    return Condition(
        "(SELECT w.words @@ %s::tsquery FROM submission_words w WHERE w.submission_id = s.id)",
        (tsquery(lexemes),),
    )


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def lexemes_of(text: str | None) -> list[str]:
    """The words of a text as PostgreSQL's ``simple`` configuration parses them."""
    if not text:
        return []
    row = db.execute_sql("SELECT tsvector_to_array(to_tsvector('simple', %s))", (text,)).fetchone()
    return list(row[0])


def tsquery(lexemes: list[str]) -> str:
    """A query for all the words; each matches as a prefix unless it is too short."""
    quoted = ((word, word.replace("\\", "\\\\").replace("'", "''")) for word in lexemes)
    short = SHORTEST_PREFIX
    return " & ".join(
        f"'{safe}'" if word.isascii() and len(word) < short else f"'{safe}':*"
        for word, safe in quoted
    )


def _shares(table: str, column: str) -> dict[str, float]:
    """The most common values of a column and their shares, from the last ANALYZE."""
    return _cached.get_or((table, column), CACHED_FOR, lambda: _read_shares(table, column))


def _read_shares(table: str, column: str) -> dict[str, float]:
    row = db.execute_sql(
        "SELECT most_common_vals::text::text[], most_common_freqs FROM pg_stats"
        " WHERE schemaname = current_schema() AND tablename = %s AND attname = %s",
        (table, column),
    ).fetchone()
    return dict(zip(row[0] or [], row[1] or [], strict=True)) if row else {}


def frequency(lexeme: str) -> float:
    """The number of submissions with this word, from the last ANALYZE; 0 if not common."""
    return _cached.get_or("words", CACHED_FOR, _read_frequencies).get(lexeme, 0.0)


def _read_frequencies() -> dict[str, float]:
    row = db.execute_sql(
        "SELECT s.most_common_elems::text::text[], s.most_common_elem_freqs, c.reltuples"
        " FROM pg_stats s JOIN pg_class c ON c.oid = 'submission_words'::regclass"
        " WHERE s.schemaname = current_schema() AND s.tablename = 'submission_words'"
        " AND s.attname = 'words'"
    ).fetchone()
    words, shares, rows = row or ([], [], 0.0)
    # the list of frequencies ends with their minimum and maximum
    pairs = zip(words or [], shares or [], strict=False)
    return {word: share * rows for word, share in pairs}
