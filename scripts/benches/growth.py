"""What a million submissions cost the questions that are asked all the time."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from models import claims, history, stats
from models.db import connection
from models.submission import Submission
from scripts._own_stack import stack
from scripts.benches import searching
from scripts.benches.figures import Figure, Measure, percentile
from scripts.benches.http import Plan

QUICK = (500, 1_000, 2_000)
ROUNDS = 60
FLAT = 0.15  # exponent of growth that counts as none
SLOW = 25  # percent of the goal; below it, growth is of no account
GOALS = {"status of one": 10.0, "review: next": 30.0, "dashboard": 100.0, "search": 100.0}
Times = dict[str, dict[int, list[float]]]


def growth(plan: Plan) -> list[Figure]:
    """Status, review, dashboard and search at 10,000, 100,000 and 1,000,000 submissions."""
    sizes = QUICK if plan.rounds == 1 else searching.SIZES
    found: Times = {name: {} for name in GOALS}
    with stack(plan.work / "growth") as server, _as_its_own(str(server.settings.sluice_home)):
        for size in sizes:
            with searching.database():
                searching.fill(size)
                with connection():
                    for name, times in _timed(5 if plan.rounds == 1 else ROUNDS):
                        found[name][size] = times
    return [figure for name in GOALS for figure in _figures(name, found[name])]


@contextmanager
def _as_its_own(home: str) -> Iterator[None]:
    """Settings as the stack has them, for the functions that the console calls."""
    before = dict(os.environ)
    os.environ["SLUICE_HOME"] = home
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _timed(rounds: int) -> Iterator[tuple[str, list[float]]]:
    some = searching._some()
    moderator = searching._moderator()
    asked: dict[str, Callable[[], object]] = {
        "status of one": lambda: Submission.get_by_id(some),
        "review: next": lambda: claims.claim_next(moderator, 6, 1),
        "dashboard": _dashboard,
    }
    for name, ask in asked.items():
        yield name, _times(ask, rounds)
    searches = searching.SEARCHES.values()
    each = [_times(partial(searching.show, wanted, None), 7) for wanted in searches]
    yield "search", max(each, key=statistics.median)


def _dashboard() -> None:
    """Everything that the dashboard asks of the database."""
    stats.samples(24 * 60)
    history.read(history.SPANS["day"])
    stats.decided_since(10)
    Submission.count_owed()
    claims.counts()


def _times(ask: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of each round, after one that warms up."""
    ask()
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        found.append(1e3 * (time.perf_counter() - began))
    return found


def _figures(name: str, sizes: dict[int, list[float]]) -> Iterator[Figure]:
    told = "search, the slowest of its kinds" if name == "search" else name
    goal = GOALS[name]
    for size, times in sizes.items():
        p95 = percentile(times, 0.95)
        yield Figure(
            "growth", f"{told}: p95 of {size:,}", Measure(p95, "ms", min(times), max(times)),
            goal=f"≤ {goal:g} ms", met=p95 <= goal,
        )  # fmt: skip
    few, many = min(sizes), max(sizes)
    ratio = statistics.median(sizes[many]) / statistics.median(sizes[few])
    exponent = math.log(ratio) / math.log(many / few)
    quick = statistics.median(sizes[many]) <= goal * SLOW / 100
    yield Figure(
        "growth", f"{told}: exponent of growth, {few:,} to {many:,}", Measure(exponent, ""),
        goal=f"≤ {FLAT:g}, or below {SLOW} % of the goal", met=exponent <= FLAT or quick,
    )  # fmt: skip
