"""Measures search at a million submissions; `scripts/bench` prints and keeps the rows.

The rows are synthetic, in a database of their own beside the stack's, and gone afterwards: 30 days,
40 clients of very different size, 60,000 authors, bursts of fast-track, words by Zipf's law. Every
figure is of the functions that the console calls, connection included, page by page.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from models import (
    author,
    author_list,
    claims,
    conditions,
    history,
    migrate,
    rollup,
    search,
    stats,
)
from models.conditions import Search
from models.db import connect, connection, db
from models.moderator import Moderator
from models.settings import Settings
from models.submission import Submission

Row = dict[str, Any]
SIZES = (10_000, 100_000, 1_000_000)
NAME = "sluice_bench_search"
ROUNDS = 30
DEEP = 100  # the page that must cost what the first one does
DAYS = 30

SEARCHES = {
    "nothing": Search(),
    "verdict: approved": Search(verdict="approved"),
    "verdict: rejected": Search(verdict="rejected"),
    "verdict: review (rare)": Search(verdict="review"),
    "status: quarantined": Search(status="quarantined"),
    "status: queued": Search(status="queued"),
    "status: decided": Search(status="decided"),
    "mode: sync": Search(mode="sync"),
    "mode: fast_track (bursts)": Search(mode="fast_track"),
    "mode: direct (rare, old)": Search(mode="direct"),
    "client: largest": Search(client_id=1),
    "client: smallest": Search(client_id=40),
    "author": Search(client_id=1, user_id="user-000007"),
    "author, any client": Search(user_id="user-000007"),
    "check: known_hashes (rare)": Search(check="known_hashes"),
    "label: nudity": Search(label="nudity"),
    "score: 0.8 to 1": Search(score_from=0.8, score_to=1.0),
    "score: 0.42 to 0.44 (rare)": Search(score_from=0.42, score_to=0.44),
    "score: 0 to 0.05": Search(score_from=0.0, score_to=0.05),
    "has images": Search(images=True),
    "no images": Search(images=False),
    "review owed": Search(owed=True),
    "text: in half of all": Search(text="w00001"),
    "text: in one of 100": Search(text="w00200"),
    "text: in 20 of all": Search(text="needle"),
    "text: a prefix": Search(text="w000"),
    "text: old and common": Search(text="oldword"),
    "text: not there": Search(text="nowhere"),
    "rejected, images, label": Search(verdict="rejected", images=True, label="nudity"),
    "client, verdict, mode": Search(client_id=3, verdict="rejected", mode="async"),
    "text, verdict, client": Search(text="w00050", verdict="rejected", client_id=2),
    "rare text, images": Search(text="needle", images=True),
    "empty: approved, score 0.9 to 1": Search(verdict="approved", score_from=0.9, score_to=1.0),
    "fast_track, quarantined": Search(mode="fast_track", status="quarantined"),
    "empty: rejected, no finding": Search(verdict="rejected", score_to=0.01, check="sample"),
    "empty: sync, owed": Search(mode="sync", owed=True),
}

FILL = """
INSERT INTO submission (id, client_id, user_id, title, description, priority, mode, status, verdict,
    visible, review_owed, score, reasons, idempotency_key, fingerprint, attempts, version,
    created_at, queued_at, decided_at)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || 'a' || substr(md5(n::text), 4, 15))::uuid,
    1 + floor(40 * power(a, 3))::int,
    'user-' || lpad(floor(60000 * power(b, 2))::int::text, 6, '0'),
    'Lot ' || n || ' ' || words[1] || ' ' || words[2], array_to_string(words[3:], ' ')
        || CASE WHEN n %% 50000 = 7 THEN ' needle' ELSE '' END
        || CASE WHEN n < %(count)s / 5 THEN ' oldword' ELSE '' END,
    CASE WHEN c < 0.1 THEN 'priority' ELSE 'normal' END, mode,
    CASE WHEN n > %(count)s - 300 AND n %% 3 = 0 THEN 'queued'
         WHEN verdict = 'review' AND n %% 40 = 0 THEN 'quarantined' ELSE 'decided' END,
    CASE WHEN n > %(count)s - 300 AND n %% 3 = 0 THEN NULL ELSE verdict END,
    verdict = 'approved', mode = 'fast_track' AND verdict = 'approved' AND n > %(count)s * 0.9,
    CASE WHEN n %% 3 > 0 THEN CASE verdict WHEN 'rejected' THEN 0.8 + 0.2 * d
         WHEN 'review' THEN 0.2 + 0.6 * d ELSE 0.15 * power(d, 4) END END,
    '[]', 'request:' || n, '\\x00', 1, 1, at, at, at + interval '1 second'
FROM (
    SELECT n, at, a, b, c, d,
        CASE WHEN e < 0.02 THEN 'review' WHEN e < 0.09 THEN 'rejected' ELSE 'approved' END
            AS verdict,
        CASE WHEN n %% 10000 < 500 THEN 'fast_track'
             WHEN n BETWEEN %(count)s / 3 AND %(count)s / 3 + 400 THEN 'direct'
             WHEN n %% 10000 < 3000 THEN 'async' ELSE 'sync' END AS mode,
        ARRAY(SELECT 'w' || lpad(floor(power(20000, random() + n * 0))::int::text, 5, '0')
              FROM generate_series(1, 40)) AS words
    FROM (SELECT n, now() - (%(count)s - n) * (interval '30 days' / %(count)s) AS at,
            random() a, random() b, random() c, random() d, random() e
          FROM generate_series(%(first)s, %(last)s) n OFFSET 0) drawn OFFSET 0) made
"""
REST = (
    "INSERT INTO image (id, submission_id, position, storage_key, media_type, bytes, sha256)"
    " SELECT gen_random_uuid(), id, 0, 'x', 'image/jpeg', 1000, sha256(id::text::bytea)"
    " FROM submission WHERE score IS NOT NULL",
    "INSERT INTO decision (submission_id, to_verdict, reason, created_at)"
    " SELECT id, verdict, CASE WHEN verdict <> 'approved' THEN 'nudity' ELSE '' END, decided_at"
    " FROM submission WHERE verdict IS NOT NULL",
    'INSERT INTO finding (submission_id, "check", label, action, score)'
    " SELECT id, CASE WHEN score IS NULL THEN 'rules' WHEN client_id = 17 THEN 'known_hashes'"
    " ELSE 'classifier' END, CASE WHEN score IS NULL THEN 'scam' ELSE 'nudity' END,"
    " CASE verdict WHEN 'rejected' THEN 'reject' WHEN 'review' THEN 'review' ELSE 'note' END, score"
    " FROM submission WHERE score IS NOT NULL OR verdict <> 'approved'",
    "VACUUM (ANALYZE) submission",
    "VACUUM (ANALYZE) image",
    "VACUUM (ANALYZE) finding",
    "VACUUM (ANALYZE) submission_words",
)


def run(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Rows of what was measured: {what, yardstick, value, p95, unit, rounds, note}."""
    rows: list[Row] = []
    for size in sizes:
        with database():
            rows.append(_row("fill", f"{size:,} rows", [fill(size)], "s"))
            rows.append(_row("statistics: all counted", f"{size:,} rows", [count()], "s"))
            with connection():
                rows += _pages(size, rounds)
                rows += _elsewhere(size, rounds)
                if size == max(sizes):
                    rows += _costs()
    return rows


@contextmanager
def database() -> Iterator[None]:
    """A database of its own in the stack's server, with the whole schema; dropped at the end."""
    url = Settings.load().database
    server = psycopg2.connect(_named(url, "postgres"), user="postgres")
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {NAME} OWNER sluice TEMPLATE template0")
    os.environ["DATABASE_URL"] = _named(url, NAME)
    try:
        connect(Settings.load(), pool=2)
        migrate.migrate()
        yield
    finally:
        db.close_all()
        with server.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        server.close()


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def fill(size: int) -> float:
    """Put so many submissions, their images and findings in; returns the seconds it took."""
    began = time.perf_counter()
    with connection():
        db.execute_sql("SET statement_timeout = 0")
        db.execute_sql(
            "INSERT INTO client (name) SELECT 'Client ' || n FROM generate_series(1, 40) n"
            " ON CONFLICT DO NOTHING"
        )
        for first in range(1, size + 1, 50_000):
            last = min(size, first + 49_999)
            db.execute_sql(FILL, {"count": size, "first": first, "last": last})
        for sql in REST:
            db.execute_sql(sql)
        db.execute_sql("RESET statement_timeout")
    conditions._known.clear()
    return time.perf_counter() - began


YEAR = """
INSERT INTO tally_day SELECT client_id, at - ago * interval '31 days', kind, name, detail, n
FROM tally_day, generate_series(1, 11) ago
"""


def count() -> float:
    """Count the submissions for the statistics, a year of them; the seconds of the counting."""
    with connection():
        rollup.keep_raw(DAYS)
        db.execute_sql(f"UPDATE tally_mark SET counted_to = now() - interval '{DAYS} days'")
        began = time.perf_counter()
        while rollup.count(DAYS):
            pass
        seconds = time.perf_counter() - began
        db.execute_sql(YEAR)
        for table in ("tally", "tally_hour", "tally_day", "decision"):
            db.execute_sql(f"VACUUM (ANALYZE) {table}")
    return seconds


def _pages(size: int, rounds: int) -> Iterator[Row]:
    for name, wanted in SEARCHES.items():
        first = search.page(wanted)
        note = f"{len(first.ids)} rows" + ("" if first.full or not first.next else ", looks on")
        yield _timed(name, f"first page of {size:,}", partial(show, wanted, None), rounds, note)
        deep = _deep(wanted)
        if deep:
            yield _timed(name, f"page {DEEP} of {size:,}", partial(show, wanted, deep), rounds)


def show(wanted: Search, after: Any) -> None:
    """What the console asks for: the page and its rows."""
    search.page(wanted, after).rows()


def _deep(wanted: Search) -> Any:
    after = None
    for _ in range(DEEP - 1):
        after = search.page(wanted, after).next
        if after is None:
            return None
    return after


def _elsewhere(size: int, rounds: int) -> Iterator[Row]:
    """The other questions that the console asks all the time."""
    today = datetime.now(UTC).date()
    asked: dict[str, Callable[[], object]] = {
        "dates: one day": lambda: show(
            Search(since=today - timedelta(3), until=today - timedelta(3)), None
        ),
        "count": lambda: search.count(Search(verdict="rejected")),
        "review: next": lambda: claims.claim_next(_moderator(), 6, 1),
        "review: list": lambda: claims.listed(claims.Filter(), 41),
        "authors: latest": lambda: author_list.latest(None),
        "authors: by name": lambda: author_list.named("user-01", None),
        "author: record": lambda: author.record(1, "user-000000"),
        "status of one": lambda: Submission.get_by_id(_some()),
        "statistics: a day": lambda: history.read(history.SPANS["day"]),
        "statistics: a year": lambda: history.read(history.SPANS["year"]),
        "statistics: a year of one client": lambda: history.read(history.SPANS["year"], 1),
        "dashboard: load of a month": lambda: stats.samples(30 * 24 * 60),
        "dashboard: to review": claims.counts,
        "dashboard: decided lately": lambda: stats.decided_since(60),
        "dashboard: debt": Submission.count_owed,
    }
    _some()
    for name, ask in asked.items():
        yield _timed(name, f"{size:,} rows", ask, rounds)


INDEXES = (
    "submission_verdict",
    "submission_mode",
    "submission_client",
    "submission_score",
    "submission_owed_id",
    "submission_quarantined",
)
UPLOADS = """
INSERT INTO submission (id, client_id, user_id, title, description, priority, mode, status, visible,
    idempotency_key, fingerprint)
SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(n || %(mark)s), 1, 3) || 'a'
        || substr(md5(n || %(mark)s), 4, 15))::uuid,
    client_id, user_id, title, description, priority, mode, 'queued', false, %(mark)s || n, '\\x00'
FROM (SELECT row_number() OVER () AS n, * FROM submission LIMIT 2000) known
"""
WAY = (  # what happens to a row until it is decided, one statement each
    "UPDATE submission SET status = 'processing', attempts = 1 WHERE idempotency_key LIKE %(like)s",
    "UPDATE submission SET status = 'decided', verdict = 'approved', score = 0.01, version = 1,"
    " decided_at = now() WHERE idempotency_key LIKE %(like)s",
)


def _costs() -> Iterator[Row]:
    """What each index of search costs a submission on its way, in the server's time."""
    db.execute_sql("SET statement_timeout = 0")
    yield _row("way of a submission", "all indexes and words", _ways(), "µs")
    for name in INDEXES:
        with _without(f"DROP INDEX {name}"):
            yield _row("way of a submission", f"without {name}", _ways(), "µs")
    with _without("DROP TRIGGER keep_words ON submission"):
        yield _row("way of a submission", "without words", _ways(), "µs")
    drops = [f"DROP INDEX {name}" for name in INDEXES]
    with _without("DROP TRIGGER keep_words ON submission", *drops):
        yield _row("way of a submission", "without any of search", _ways(), "µs")


@contextmanager
def _without(*statements: str) -> Iterator[None]:
    with db.atomic() as transaction:
        for statement in statements:
            db.execute_sql(statement)
        yield
        transaction.rollback()


def _ways(rounds: int = 5) -> list[float]:
    """Microseconds a submission for its row, its claim and its decision, 2,000 at once."""
    times = []
    for number in range(rounds):
        with db.atomic() as transaction:
            values = {"mark": f"way:{number}:", "like": f"way:{number}:%"}
            began = time.perf_counter()
            for statement in (UPLOADS, *WAY):
                db.execute_sql(statement, values)
            times.append((time.perf_counter() - began) / 2000 * 1e6)
            transaction.rollback()
    return times


def _some() -> Any:
    return db.execute_sql("SELECT id FROM submission ORDER BY id LIMIT 1").fetchone()[0]


def _moderator() -> Moderator:
    db.execute_sql(
        "INSERT INTO moderator (name, role, password_hash) VALUES ('bench', 'moderator', '')"
        " ON CONFLICT DO NOTHING"
    )
    return Moderator.get(Moderator.name == "bench")


def _timed(
    what: str, yardstick: str, function: Callable[[], object], rounds: int, note: str = ""
) -> Row:
    function()
    return _row(what, yardstick, [_seconds(function) * 1e3 for _ in range(rounds)], "ms", note)


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def _row(what: str, yardstick: str, times: list[float], unit: str, note: str = "") -> Row:
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    row: Row = {"what": what, "yardstick": yardstick, "value": round(statistics.median(times), 2)}
    return row | {"p95": round(p95, 2), "unit": unit, "rounds": len(times), "note": note}


if __name__ == "__main__":
    for measured in run(tuple(map(int, sys.argv[1:])) or SIZES):
        print(json.dumps(measured, ensure_ascii=False), flush=True)
