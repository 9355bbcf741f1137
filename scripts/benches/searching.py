"""Search and other console queries at three sizes of the database.

Every figure is for the functions that the console calls, including the connection, page by page.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from models.authors import author, listing
from models.database.connection import connection, db
from models.people.moderator import Moderator
from models.review import claims
from models.statistics import history, load_samples
from models.submissions import search, search_conditions
from models.submissions.search_conditions import Search
from models.submissions.submission import Submission
from scripts.benches import filling
from scripts.benches.figures import Figure, Measure, growing

ROUNDS = 30
DEEP = 100  # the page that must cost as much as the first
GOAL = 100.0  # milliseconds
SLIGHT = 0.25  # share of the goal below which growth does not matter
Times = dict[str, list[float]]  # milliseconds of each round, by query

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


def run(sizes: tuple[int, ...] = filling.SIZES, rounds: int = ROUNDS) -> list[Figure]:
    """The row ``search``: each query as a detail, and the median and the worst of all."""
    found: dict[str, dict[int, Times]] = {}
    more: list[Figure] = []
    for size in sizes:
        with filling.database():
            filled = filling.fill(size)
            counted = filling.count()
            more += [
                _detail(f"fill: {size:,} rows", Measure.of([filled], "s")),
                _detail(f"statistics: {size:,} rows counted", Measure.of([counted], "s")),
            ]
            with connection():
                for kind, times in _asked(rounds):
                    found.setdefault(kind, {})[size] = times
                if size == max(sizes):
                    more += _costs()
    return [*(figure for kind, by in found.items() for figure in _figures(kind, by)), *more]


def _asked(rounds: int) -> Iterator[tuple[str, Times]]:
    """The times of all kinds of queries, at the current size."""
    search_conditions._cached.clear()
    first = {name: partial(show, requested, None) for name, requested in SEARCHES.items()}
    yield "first page of a search", _times(first, rounds)
    ends = {name: _deep(requested) for name, requested in SEARCHES.items()}
    deep = {name: partial(show, SEARCHES[name], end) for name, end in ends.items() if end}
    yield f"page {DEEP} of a search", _times(deep, rounds)
    _moderator()
    yield "other queries of the console", _times(_elsewhere(), rounds)


def _times(asked: Mapping[str, Callable[[], object]], rounds: int) -> Times:
    """The times of each query, after one run that is not counted."""
    found: Times = {}
    for name, ask in asked.items():
        ask()
        found[name] = [_seconds(ask) * 1e3 for _ in range(rounds)]
    return found


def _figures(kind: str, by_size: dict[int, Times]) -> Iterator[Figure]:
    """The worst query of a kind at each size, the median of all, and their growth."""
    worst: dict[int, float] = {}
    middle: dict[int, float] = {}
    few = min(by_size)
    for size, times in by_size.items():
        for name, each in times.items():
            yield _detail(f"{kind}, {size:,} rows: {name}", Measure.of(each, "ms"))
        if not times:  # too few rows for this page
            continue
        medians = {name: statistics.median(each) for name, each in times.items()}
        slowest = max(medians, key=lambda name: medians[name])
        middle[size], worst[size] = statistics.median(medians.values()), medians[slowest]
        measure = Measure.of(times[slowest], "ms")
        same = Measure(worst[few], "ms") if few in worst and size > few else None
        yield Figure(
            "search",
            f"{kind}, {size:,} rows: the worst of {len(times)} ({slowest})",
            measure,
            f"at {few:,}" if same else "",
            same,
            goal=f"p95 ≤ {GOAL:g} ms",
            met=(measure.p95 or max(times[slowest])) <= GOAL,
        )
        yield Figure(
            "search",
            f"{kind}, {size:,} rows: the median of {len(times)}",
            Measure(middle[size], "ms", min(medians.values()), max(medians.values())),
        )
    if len(middle) > 1:
        for name, by in (("the median", middle), ("the worst", worst)):
            slight = max(by.values()) <= SLIGHT * GOAL
            yield growing("search", f"{kind}, {name}", by, slight=slight)


def show(requested: Search, after: Any) -> None:
    """What the console reads: the page and its rows."""
    search.page(requested, after).rows()


def _deep(requested: Search) -> Any:
    after = None
    for _ in range(DEEP - 1):
        after = search.page(requested, after).next
        if after is None:
            return None
    return after


def _elsewhere() -> dict[str, Callable[[], object]]:
    """Other frequent queries of the console."""
    some, moderator = _some(), _moderator()
    day = datetime.now(UTC).date() - timedelta(3)
    return {
        "dates: one day": lambda: show(Search(since=day, until=day), None),
        "count": lambda: search.count(Search(verdict="rejected")),
        "review: next": lambda: claims.claim_next(moderator, 6, 1),
        "review: list": lambda: claims.listed(claims.ReviewFilter(), 41),
        "authors: latest": lambda: listing.latest(None),
        "authors: by name": lambda: listing.named("user-01", None),
        "author: record": lambda: author.record(1, "user-000000"),
        "status of one": lambda: Submission.get_by_id(some),
        "statistics: a day": lambda: history.read(history.SPANS["day"]),
        "statistics: a year": lambda: history.read(history.SPANS["year"]),
        "statistics: a year of one client": lambda: history.read(history.SPANS["year"], 1),
        "dashboard: load of a month": lambda: load_samples.samples(30 * 24 * 60),
        "dashboard: to review": claims.counts,
        "dashboard: decided lately": lambda: load_samples.decided_since(60),
        "dashboard: debt": Submission.count_owed,
    }


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
WAY = (  # the statements for a row from insert to decision
    "UPDATE submission SET status = 'processing', attempts = 1 WHERE idempotency_key LIKE %(like)s",
    "UPDATE submission SET status = 'decided', verdict = 'approved', score = 0.01, version = 1,"
    " decided_at = now() WHERE idempotency_key LIKE %(like)s",
)


def _costs() -> Iterator[Figure]:
    """The cost of search, and of each of its indexes, for an upload, in server time."""
    db.execute_sql("SET statement_timeout = 0")
    whole = Measure.of(_ways(), "µs")
    for name in INDEXES:
        with _without(f"DROP INDEX {name}"):
            yield _detail(f"way of a submission: without {name}", Measure.of(_ways(), "µs"))
    with _without("DROP TRIGGER keep_words ON submission"):
        yield _detail("way of a submission: without words", Measure.of(_ways(), "µs"))
    drops = [f"DROP INDEX {name}" for name in INDEXES]
    with _without("DROP TRIGGER keep_words ON submission", *drops):
        bare = Measure.of(_ways(), "µs")
    yield Figure(
        "search",
        "a submission: PostgreSQL time to insert, claim and decide it",
        whole,
        "without the indexes and words for search",
        bare,
        (bare.value or 0.0) / (whole.value or 1.0),
    )


@contextmanager
def _without(*statements: str) -> Iterator[None]:
    with db.atomic() as transaction:
        for statement in statements:
            db.execute_sql(statement)
        yield
        transaction.rollback()


def _ways(rounds: int = 5) -> list[float]:
    """Microseconds per submission for insert, claim and decision, 2,000 at once."""
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


def _detail(what: str, measure: Measure) -> Figure:
    return Figure("search", what, measure, detail=True)


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
