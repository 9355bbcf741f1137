"""Rows of `scripts/bench` about the console: search at a million rows, and reviewing by keys."""

from __future__ import annotations

import os

from scripts._own_stack import stack
from scripts.benches import filling, reviewing, searching
from scripts.benches.figures import Figure
from scripts.benches.http import Plan


def search(plan: Plan) -> list[Figure]:
    """Milliseconds of the console's queries at 10,000, 100,000 and 1,000,000 submissions."""
    quick = plan.rounds == 1
    sizes, rounds = ((1_000, 4_000), 3) if quick else (filling.SIZES, searching.ROUNDS)
    before = dict(os.environ)
    with stack(plan.work / "search", WORKERS=0, PRIORITY_WORKERS=0) as server:
        os.environ["SLUICE_HOME"] = str(server.settings.sluice_home)
        try:
            return searching.run(sizes, rounds)
        finally:
            os.environ.clear()
            os.environ.update(before)


def review(plan: Plan) -> list[Figure]:
    """Milliseconds from key press to the next flag painted, two moderators in Chromium."""
    return reviewing.run(20 if plan.rounds == 1 else reviewing.FLAGS)
