"""Fills a database with many submissions, for rows about the cost of size.

The rows are synthetic: 30 days, 40 clients of very different size, 60,000 authors, bursts of
fast-track, words by Zipf's law.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from models import migrate
from models.database.connection import connect, connection, db
from models.settings import Settings, use_settings
from models.statistics import rollup
from models.submissions import search_conditions

SIZES = (10_000, 100_000, 1_000_000)
NAME = "sluice_bench_search"
DAYS = 30

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
    "INSERT INTO image (id, submission_id, position, storage_key, media_type, bytes, sha256, pdq,"
    " pdq_quality) SELECT gen_random_uuid(), id, 0, 'x', 'image/jpeg', 1000,"
    " sha256(id::text::bytea), sha256(id::text::bytea), 100"
    " FROM submission WHERE score IS NOT NULL",
    "INSERT INTO decision (submission_id, to_verdict, reason, created_at)"
    " SELECT id, verdict, CASE WHEN verdict <> 'approved' THEN 'nudity' ELSE '' END, decided_at"
    " FROM submission WHERE verdict IS NOT NULL",
    'INSERT INTO finding (submission_id, "check", label, action, score, evidence)'
    " SELECT id, CASE WHEN score IS NULL THEN 'rules' WHEN client_id = 17 THEN 'known_hashes'"
    " ELSE 'classifier' END, CASE WHEN score IS NULL THEN 'scam' ELSE 'nudity' END,"
    " CASE verdict WHEN 'rejected' THEN 'reject' WHEN 'review' THEN 'review' ELSE 'note' END,"
    " score, CASE WHEN score IS NULL THEN jsonb_build_object('rule', (1 + 50 * random() ^ 3)::int)"
    " ELSE '{}' END"
    " FROM submission WHERE score IS NOT NULL OR verdict <> 'approved'",
    "VACUUM (ANALYZE) submission",
    "VACUUM (ANALYZE) image",
    "VACUUM (ANALYZE) finding",
    "VACUUM (ANALYZE) submission_words",
)


@contextmanager
def database() -> Iterator[None]:
    """A separate database in the stack's server, with the whole schema; dropped at the end."""
    settings = use_settings(Settings.load())
    url = settings.database
    passwords = str(settings.database_passwords)
    server = psycopg2.connect(_named(url, "postgres"), user="postgres", passfile=passwords)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {NAME} OWNER sluice TEMPLATE template0")
    os.environ["DATABASE_URL"] = _named(url, NAME)
    try:
        connect(use_settings(Settings.load()), pool=2)
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
    """Insert this number of submissions with images and findings; returns the seconds it took."""
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
    search_conditions._cached.clear()
    return time.perf_counter() - began


YEAR = """
INSERT INTO tally_day SELECT client_id, at - ago * interval '31 days', kind, name, detail, n
FROM tally_day, generate_series(1, 11) ago
"""


def count() -> float:
    """Build the statistics of a year of submissions; returns the seconds it took."""
    with connection():
        rollup.keep_raw(DAYS)
        db.execute_sql(f"UPDATE tally_mark SET counted_to = now() - interval '{DAYS} days'")
        began = time.perf_counter()
        while rollup.count(DAYS):
            pass
        seconds = time.perf_counter() - began
        db.execute_sql(YEAR)
        for table in ("tally", "tally_hour", "tally_day", "decision", "submission"):
            db.execute_sql(f"VACUUM (ANALYZE) {table}")
    return seconds
