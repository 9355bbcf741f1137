"""Rows of `scripts/bench` about the console: search at a million rows, and reviewing by keys."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from scripts._own_stack import stack
from scripts.benches import reviewing, searching
from scripts.benches.figures import Figure, Measure
from scripts.benches.http import Plan


def search(plan: Plan) -> list[Figure]:
    """Milliseconds of the console's queries at 10,000, 100,000 and 1,000,000 submissions."""
    sizes = (10_000,) if plan.rounds == 1 else searching.SIZES
    before = dict(os.environ)
    with stack(plan.work / "search") as server:
        os.environ["SLUICE_HOME"] = str(server.settings.sluice_home)
        try:
            return _figures("search", searching.run(sizes))
        finally:
            os.environ.clear()
            os.environ.update(before)


def review(plan: Plan) -> list[Figure]:
    """Milliseconds from key press to the next flag painted, two moderators in Chromium."""
    flags = 20 if plan.rounds == 1 else reviewing.FLAGS
    return _figures("review", reviewing.run(flags))


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
