"""What is looked for among the submissions, as SQL that a walk can follow or test."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from models.database.connection import db

SHORTEST_PREFIX = 3  # shorter words are looked for as they are
OPEN = ("received", "queued", "processing")
SCORED = 0.1  # lower scores are in no index: nearly every harmless picture has one
KNOWN_FOR = 60.0  # seconds that what PostgreSQL knows of a column is kept
_known: dict[tuple[str, str], tuple[float, dict[str, float]]] = {}


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; None is anything. Days are whole ones in UTC, both included."""

    client_id: int | None = None
    user_id: str | None = None
    verdict: str | None = None
    status: str | None = None
    mode: str | None = None
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
    """SQL and its values, and the share of all rows for which it holds, as far as is known.

    ``leads`` says whose index can lead a walk: ``row`` (of submissions; ``by`` where its SQL is
    another), ``finding`` or ``score``; empty: none can.
    """

    sql: str
    values: tuple[Any, ...] = ()
    share: float = 1.0
    leads: str = ""
    by: str = ""


def plan(wanted: Search, lexemes: list[str]) -> tuple[Condition, list[Condition]]:
    """The condition whose index the walk follows, the rarest, and those that it tests."""
    conditions = [*_of_row(wanted), *_of_score(wanted), *_of_others(wanted)]
    if wanted.text:
        conditions.append(_of_text(wanted.text, lexemes))
    all_of_them = Condition("true", leads="row")
    driver = min([c for c in conditions if c.leads] + [all_of_them], key=lambda c: c.share)
    return driver, [c for c in conditions if c is not driver or c.leads == "score"]


def _of_row(wanted: Search) -> Iterator[Condition]:
    for name in ("client_id", "verdict", "mode"):
        value = getattr(wanted, name)
        if value is not None:
            share = _shares("submission", name).get(str(value), 0.001)
            yield _leading(f"s.{name} = %s", value, share=share)
    if wanted.user_id is not None:
        whose = "s.client_id IN (SELECT id FROM client)"  # the index is by client and author
        if wanted.client_id is not None:
            whose = f"s.client_id = {int(wanted.client_id)}"
        mine = "s.user_id = %s"
        yield Condition(mine, (wanted.user_id,), 0.0, "row", f"{whose} AND {mine}")
    if wanted.status == "quarantined":
        yield _leading("s.status = 'quarantined'", share=0.0005)
    elif wanted.status in OPEN:
        yield _leading("s.status = %s", wanted.status, share=0.0005)
    elif wanted.status:
        yield Condition("s.status = %s", (wanted.status,))
    if wanted.owed:
        yield _leading("s.review_owed", share=_shares("submission", "review_owed").get("t", 0.001))
    elif wanted.owed is False:
        yield Condition("NOT s.review_owed")
    if wanted.since:
        yield Condition("s.created_at >= %s", (midnight(wanted.since),))
    if wanted.until:
        yield Condition("s.created_at < %s", (midnight(wanted.until) + timedelta(days=1),))


def _leading(sql: str, *values: Any, share: float) -> Condition:
    return Condition(sql, values, share, "row")


def _of_score(wanted: Search) -> Iterator[Condition]:
    low, high = wanted.score_from, wanted.score_to
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
    """The bucket of a score as the database holds it, in four bytes: 0.7 is a little less there."""
    return int(struct.unpack("f", struct.pack("f", score))[0] * 10)


def _of_others(wanted: Search) -> Iterator[Condition]:
    """What other tables know: findings that asked for something, and images."""
    named = [(n, v) for n, v in (("check", wanted.check), ("label", wanted.label)) if v]
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
    if wanted.images is not None:
        has = "(SELECT true FROM image i WHERE i.submission_id = s.id LIMIT 1)"
        yield Condition(f"{has} IS {'' if wanted.images else 'NOT '}TRUE")


def _of_text(text: str, lexemes: list[str]) -> Condition:
    if not lexemes:  # signs alone, which no index of words holds
        return Condition("strpos(s.title || ' ' || s.description, %s) > 0", (text,))
    return Condition(
        "(SELECT w.words @@ %s::tsquery FROM submission_words w WHERE w.submission_id = s.id)",
        (tsquery(lexemes),),
    )


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def lexemes_of(text: str | None) -> list[str]:
    """The words of a text as PostgreSQL's parser of the ``simple`` configuration sees them."""
    if not text:
        return []
    row = db.execute_sql("SELECT tsvector_to_array(to_tsvector('simple', %s))", (text,)).fetchone()
    return list(row[0])


def tsquery(lexemes: list[str]) -> str:
    """All of the words; each may go on, if it is not too short to tell anything."""
    quoted = ((word, word.replace("\\", "\\\\").replace("'", "''")) for word in lexemes)
    short = SHORTEST_PREFIX
    return " & ".join(
        f"'{safe}'" if word.isascii() and len(word) < short else f"'{safe}':*"
        for word, safe in quoted
    )


def _shares(table: str, column: str) -> dict[str, float]:
    """The most common values of a column and how common each is, as the last ANALYZE saw it."""
    at, shares = _known.get((table, column), (float("-inf"), {}))
    if time.monotonic() - at > KNOWN_FOR:
        row = db.execute_sql(
            "SELECT most_common_vals::text::text[], most_common_freqs FROM pg_stats"
            " WHERE schemaname = current_schema() AND tablename = %s AND attname = %s",
            (table, column),
        ).fetchone()
        shares = dict(zip(row[0] or [], row[1] or [], strict=True)) if row else {}
        _known[table, column] = (time.monotonic(), shares)
    return shares


def frequency(lexeme: str) -> float:
    """How many submissions have this word, as the last ANALYZE saw it; 0 for what is not common."""
    at, counts = _known.get(("submission_words", "words"), (float("-inf"), {}))
    if time.monotonic() - at > KNOWN_FOR:
        row = db.execute_sql(
            "SELECT s.most_common_elems::text::text[], s.most_common_elem_freqs, c.reltuples"
            " FROM pg_stats s JOIN pg_class c ON c.oid = 'submission_words'::regclass"
            " WHERE s.schemaname = current_schema() AND s.tablename = 'submission_words'"
            " AND s.attname = 'words'"
        ).fetchone()
        words, shares, rows = row or ([], [], 0.0)
        # the frequencies end with the lowest and the highest of them
        known = zip(words or [], shares or [], strict=False)
        counts = {word: share * rows for word, share in known}
        _known["submission_words", "words"] = (time.monotonic(), counts)
    return counts.get(lexeme, 0.0)
