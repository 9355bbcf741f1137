"""The chart of a burst: depth and mode, wait, throughput and debt over the same seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from scripts.benches.burst import Burst
from scripts.benches.chart import Band, Chart, ChartLine, Panel

COLOURS = {"async": "blue", "fast_track": "amber", "direct": "red"}
SPAN = 1.0  # seconds over which a rate is counted


def chart(burst: Burst, depths: tuple[int, int]) -> str:
    """The burst as SVG; ``depths`` are those from which ``async`` and ``fast_track`` begin."""
    start = burst.began
    looks = [(look["at"] - start, look) for look in burst.looks if look["at"] >= start - 2]
    end = max(at for at, _ in looks)
    busy = [at for at, look in looks if look["depth"] >= depths[0]]
    calm = max([*busy, burst.answered - start]) * 1.1 + 3  # the debt has its own axis
    bands = list(_bands(burst, end))
    waits = [(at - start, reported, real) for at, reported, real in burst.waits]
    came = _rate(one["at"] + one.get("seconds", 0) - start for one in burst.acknowledged)
    fast = {one["job_id"] for one in burst.acknowledged if one.get("mode") == "fast_track"}
    checked = [row[2] - start for job, row in burst.rows.items() if job not in fast and row[2]]
    panels = (
        Panel(
            "Queue depth, and the mode in force",
            [ChartLine("depth", [(at, look["depth"]) for at, look in looks], area=True)],
            bands,
            [
                (depths[0], f"async from {depths[0]:,}"),
                (depths[1], f"fast_track from {depths[1]:,}"),
            ],
            170,
        ),
        Panel(
            "Wait of those answered with 202, seconds",
            [
                ChartLine("real", [(at, real) for at, _, real in waits], "faint", dots=True),
                ChartLine("estimated", _means((at, reported) for at, reported, _ in waits)),
            ],
        ),
        Panel(
            "Uploads answered and submissions worked on, a second",
            [
                ChartLine("answered", came, "blue", area=True),
                ChartLine("decided by workers", _rate(checked), "accent"),
                ChartLine("debt worked off", _falls(looks), "amber"),
            ],
        ),
        Panel(
            "Review debt: let through by fast rules, not yet checked in full",
            [ChartLine("debt", [(at, look["debt"]) for at, look in looks], "amber", area=True)],
            end=end,
        ),
    )
    sub = (
        f"{len(burst.uploads):,} uploads over {burst.connections:,} connections, answered within"
        f" {burst.answered - start:.0f} s, all checked in full after {burst.drained - start:.0f} s"
    )
    return Chart("A burst", sub, panels, min(at for at, _ in looks), min(calm, end)).svg()


def _bands(burst: Burst, end: float) -> Iterable[Band]:
    changes = [*burst.modes, ("", end)]
    for (mode, start), (_, until) in pairwise(changes):
        if mode in COLOURS:
            yield Band(mode, start, until, COLOURS[mode])


def _rate(moments: Iterable[float]) -> list[tuple[float, float]]:
    """The rate per second, at the middle of each second."""
    counted = Counter(int(at // SPAN) for at in moments)
    if not counted:
        return []
    seconds = range(min(counted) - 1, max(counted) + 2)
    return [((second + 0.5) * SPAN, counted[second] / SPAN) for second in seconds]


def _falls(looks: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, float]]:
    """The decrease of the debt per second, after its peak."""
    found = []
    top = max(range(len(looks)), key=lambda at: looks[at][1]["debt"])
    for before, after in zip(looks[top::8], looks[top + 8 :: 8], strict=False):
        rate = (before[1]["debt"] - after[1]["debt"]) / (after[0] - before[0])
        found.append(((before[0] + after[0]) / 2, max(0.0, rate)))
    return found


def _means(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The mean of each half second."""
    sums: dict[int, list[float]] = {}
    for at, value in points:
        sums.setdefault(int(at * 2), []).append(value)
    return [((key + 0.5) / 2, sum(found) / len(found)) for key, found in sorted(sums.items())]
