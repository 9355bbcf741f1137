"""Rows of `scripts/bench` about the console: search at a million rows, and reviewing by keys."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import _bench_review
import _bench_search
from _bench_figures import Figure, Measure
from _bench_http import Plan
from _own_stack import stack


def search(plan: Plan) -> list[Figure]:
    """Milliseconds of the console's queries at 10,000, 100,000 and 1,000,000 submissions."""
    sizes = (10_000,) if plan.rounds == 1 else _bench_search.SIZES
    before = dict(os.environ)
    with stack(plan.work / "search") as server:
        os.environ["SLUICE_HOME"] = str(server.settings.sluice_home)
        try:
            return _figures("search", _bench_search.run(sizes))
        finally:
            os.environ.clear()
            os.environ.update(before)


def review(plan: Plan) -> list[Figure]:
    """Milliseconds from key press to the next flag painted, two moderators in Chromium."""
    flags = 20 if plan.rounds == 1 else _bench_review.FLAGS
    return _figures("review", _bench_review.run(flags))


def _figures(row: str, found: Iterable[dict[str, Any]]) -> list[Figure]:
    return [
        Figure(
            row,
            f"{one['what']}: {one['yardstick']}" if one.get("yardstick") else one["what"],
            Measure(one["value"], one["unit"], rounds=one.get("rounds", 0)),
            beside=Measure(one["p95"], one["unit"]) if one.get("p95") is not None else None,
            yardstick="p95" if one.get("p95") is not None else "",
            note=one.get("note", ""),
        )
        for one in found
    ]
