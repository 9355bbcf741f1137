"""The latency of frequent requests through nginx with a million submissions."""

from __future__ import annotations

import itertools
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from urllib.parse import urlencode

from models.database.connection import connect, connection, db
from models.review import claims
from models.statistics import history, load_samples
from models.submissions.search_conditions import Search
from models.submissions.submission import Submission
from scripts._own_stack import Stack, stack
from scripts.benches import filling, searching
from scripts.benches.figures import Figure, Measure, growing, percentile
from scripts.benches.http import Plan
from scripts.benches.load import BenchConnection, get
from tests.support.console import FRAGMENT, Console

QUICK = (500, 1_000, 2_000)
ROUNDS, EACH = 3, 40
SLOWEST = 3  # slowest searches of a first round, which are measured in full
SLIGHT = 0.25  # share of the goal below which growth does not matter
GOALS = {
    "status of a submission": 10.0,
    "review: a decision and the next flags": 30.0,
    "dashboard": 100.0,
    "dashboard: its database queries, uncached": 100.0,
    "search, the slowest of its kinds": 100.0,
}
SETTINGS = {  # no workers, so the inserted rows do not change
    "WORKERS": 0,
    "PRIORITY_WORKERS": 0,
    "RETENTION_DAYS": 0,
    "MAX_QUEUE_SIZE": 10_000_000,
}
NAMES = {"client_id": "client", "user_id": "author"}  # fields with another name in URLs
Rounds = list[list[float]]  # milliseconds of each request, by round


def growth(plan: Plan) -> list[Figure]:
    """Status, review, dashboard and search at 10,000, 100,000 and 1,000,000 submissions."""
    quick = plan.rounds == 1
    found: dict[str, dict[int, Rounds]] = {name: {} for name in GOALS}
    for size in QUICK if quick else filling.SIZES:
        with stack(plan.work / f"growth-{size}", **SETTINGS) as server:
            connect(server.settings, pool=2)
            try:
                filling.fill(size)
                filling.count()
                for name, rounds in _asked(server, *((1, 5) if quick else (ROUNDS, EACH))):
                    found[name][size] = rounds
            finally:
                db.close_all()
    return [figure for name in GOALS for figure in _figures(name, found[name])]


def _asked(server: Stack, rounds: int, each: int) -> Iterator[tuple[str, Rounds]]:
    """The names of GOALS with what was measured."""
    person = _signed_in(server)
    browser = {"Cookie": "; ".join(f"{c.name}={c.value}" for c in person.http.cookies)}
    line = BenchConnection(server.settings.port)

    def page(path: str, headers: dict[str, str] = browser) -> None:
        nonlocal line
        if line.ended:  # nginx closes a connection after 1,000 requests
            line = BenchConnection(server.settings.port)
        _require(line.ask(get(path, headers)).status, path)

    ids = itertools.cycle(_ids(rounds * each))
    key = {"Authorization": f"Bearer {server.key}"}
    status, review, dashboard, asks, search = GOALS
    yield status, _times(lambda: page(f"/api/moderation/status/{next(ids)}", key), rounds, each)
    yield review, _times(_Reviewer(person).decide, rounds, each)
    ranges = itertools.cycle(("hour", "day", "week", "month", "year"))
    yield dashboard, _times(lambda: _dashboard(page, next(ranges)), rounds, each)
    with connection():
        yield asks, _times(_of_the_database, rounds, each)
    kinds = {name: _searched(page, one) for name, one in searching.SEARCHES.items()}
    slow = sorted(kinds, key=lambda name: _middle(_times(kinds[name], 1, 5)))[-SLOWEST:]
    print(f"  the slowest searches: {', '.join(slow)}", file=sys.stderr)
    yield search, max((_times(kinds[name], rounds, each) for name in slow), key=_middle)


def _signed_in(server: Stack) -> Console:
    made = server.script("moderator", "create", "bench", "--role", "moderator", "--json")
    person = Console(server.settings.url)
    person.sign_in("bench", json.loads(made)["password"])
    return person


def _ids(count: int) -> list[str]:
    """Ids of the client's submissions, from all over the table."""
    with connection():
        found = db.execute_sql(
            "SELECT id::text FROM submission WHERE client_id = 1 ORDER BY random() LIMIT %s",
            (count,),
        )
        return [row[0] for row in found.fetchall()]


@dataclass
class _Reviewer:
    """A moderator who decides one flag after another; each response contains the next ones."""

    person: Console

    def __post_init__(self) -> None:
        self.token = self.person.token("/review")
        self.waiting = self.person.deck()

    def decide(self) -> None:
        (job_id, version), *self.waiting = self.waiting
        reply = self.person.http.post(
            f"{self.person.url}/reviews/{job_id}/decision",
            data={
                "csrf_token": self.token,
                "outcome": "approved",
                "version": version,
                "open": ",".join(known for known, _ in self.waiting),
            },
            headers=FRAGMENT,
        )
        _require(reply.status_code, "a decision")
        ids = re.findall(r'data-case data-id="([^"]+)"', reply.text)
        versions = re.findall(r'name="version" value="(\d+)"', reply.text)
        self.waiting += [one for one in zip(ids, versions, strict=True) if one[0] != job_id]


def _dashboard(page: Callable[[str], None], span: str) -> None:
    """The page and, behind it, its charts."""
    page(f"/console/?range={span}")
    page(f"/console/dashboard/charts?range={span}")


def _of_the_database() -> None:
    """All database queries of a dashboard whose caches have expired."""
    load_samples.samples(24 * 60)
    history.read(history.SPANS["day"])
    load_samples.decided_since(10)
    Submission.count_owed()
    claims.counts()


def _searched(page: Callable[[str], None], requested: Search) -> Callable[[], None]:
    reported = {NAMES.get(f.name, f.name): getattr(requested, f.name) for f in fields(requested)}
    yes_or_no = {True: "yes", False: "no"}
    asked = {
        name: yes_or_no[value] if isinstance(value, bool) else value
        for name, value in reported.items()
        if value is not None
    }
    return lambda: page(f"/console/submissions?{urlencode(asked)}")


def _require(status: int, what: str) -> None:
    if status != 200:
        raise RuntimeError(f"{what}: {status}")


def _times(ask: Callable[[], object], rounds: int, each: int) -> Rounds:
    """Milliseconds of each request, after one to warm up."""
    ask()
    found: Rounds = []
    for _ in range(rounds):
        found.append([])
        for _ in range(each):
            began = time.perf_counter()
            ask()
            found[-1].append(1e3 * (time.perf_counter() - began))
    return found


def _middle(rounds: Rounds) -> float:
    return statistics.median(itertools.chain(*rounds))


def _figures(name: str, sizes: dict[int, Rounds]) -> Iterator[Figure]:
    goal, few, many = GOALS[name], min(sizes), max(sizes)
    p95 = {size: [percentile(each, 0.95) for each in rounds] for size, rounds in sizes.items()}
    least = statistics.median(p95[few])
    for size, each in p95.items():
        measure = Measure.of(each, "ms")
        beside = (f"at {few:,}", Measure.of(p95[few], "ms"), least / (measure.value or least))
        yield Figure(
            "growth", f"{name}, {size:,} submissions: p95", measure,
            *(beside if size > few else ("", None, None)),
            goal=f"≤ {goal:g} ms", met=statistics.median(each) <= goal, note=NOTE,
        )  # fmt: skip
    middle = {size: _middle(rounds) for size, rounds in sizes.items()}
    yield growing("growth", name, middle, slight=middle[many] <= SLIGHT * goal)


NOTE = (
    "through nginx, as the client, the moderator and the administrator see it, one request after"
    " the other, no worker running; medians of the p95 of several rounds"
)
