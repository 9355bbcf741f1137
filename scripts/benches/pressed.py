"""The burst with a heavy client, with the adaptive limit and without."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.benches.burst import CLIENTS, Burst, run
from scripts.benches.burst_row import keep, sizes
from scripts.benches.figures import Figure, Measure
from scripts.benches.http import Plan

HEAVY = 7  # uploads of the heavy client for one of each other
MAX_DEBT = 5  # seconds; ADAPTIVE_MAX_DEBT
NOTE = (
    f"of ten uploads seven are one client's; ADAPTIVE_MAX_DEBT is {MAX_DEBT} s; clients ignore the"
    " Retry-After of a 429"
)


def pressed(plan: Plan) -> list[Figure]:
    """The burst with adaptive limits on: the heaviest client is asked to slow down."""
    uploads, connections, settings = sizes(plan)
    seen: dict[str, Burst] = {}
    for state in ("off", "on"):
        limits = {"ENABLE_ADAPTIVE_RATE_LIMITING": state, "ADAPTIVE_MAX_DEBT": MAX_DEBT}
        name = f"pressed-{state}"
        [seen[state]], stated = run(
            plan, uploads[1:], connections, name, heavy=HEAVY, **settings, **limits
        )
    keep(plan, "burst-limits", seen["on"], stated)
    return [*_promised(seen["on"]), *_eased(seen["on"], seen["off"])]


def _promised(seen: Burst) -> Iterator[Figure]:
    reported = ", ".join(f"{count:,} × {status}" for status, count in sorted(seen.answers.items()))
    lost, errors = len(seen.undecided), seen.errors
    what = f"{len(seen.uploads):,} uploads, {seen.connections:,} connections"
    yield Figure(
        "pressed", f"{what}: responses other than 200, 202, 429, 503 ({reported})",
        Measure(errors, "errors"), goal="0", met=errors == 0, note=NOTE,
    )  # fmt: skip
    yield Figure(
        "pressed", f"of {len(seen.acknowledged):,} acknowledged: lost or undecided",
        Measure(lost, ""), goal="0", met=lost == 0,
    )  # fmt: skip


def _eased(on: Burst, off: Burst) -> Iterator[Figure]:
    """Who is asked to slow down, and what that does for the others."""
    heavy, others = (_refused(on, own) for own in (True, False))
    yield Figure(
        "pressed", "uploads of the heavy client that get 429", Measure(heavy, "%"),
        "of the others", Measure(others, "%"), goal="more than of the others", met=heavy > others,
    )  # fmt: skip
    waits = [max((real for _, _, real in seen.waits), default=0.0) for seen in (on, off)]
    depths = [max(look["depth"] for look in seen.looks) for seen in (on, off)]
    for what, (mine, free), unit in (
        ("longest wait of accepted uploads", waits, "s"),
        ("longest queue", depths, "jobs"),
    ):
        yield Figure(
            "pressed", what, Measure(mine, unit), "without the adaptive limit",
            Measure(free, unit), free / mine if mine else None, "less", mine < free,
        )  # fmt: skip


def _refused(seen: Burst, heavy: bool) -> float:
    """Percent of the uploads of the heavy client, or of all others, that got 429."""
    keys = HEAVY + CLIENTS - 1
    mine = [one for one in seen.uploads if (one["number"] % keys < HEAVY) == heavy]
    return 100 * sum(one["status"] == 429 for one in mine) / max(1, len(mine))
