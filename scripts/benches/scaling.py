"""Autoscaling with simulated traffic: worker hours, waits, and charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

from models.capacity.autoscaling import Bounds
from scripts.benches import traffic
from scripts.benches.chart import Chart, ChartLine, Panel
from scripts.benches.figures import Figure, Measure
from scripts.benches.http import Plan
from scripts.benches.traffic import Second

PACE, BOUNDS = 10.0, Bounds(fewest=1, most=16)
ALWAYS = Bounds(fewest=BOUNDS.most, most=BOUNDS.most)
POINTS = 300
TRAFFIC = {
    "steady": ("Steady traffic", traffic.steady(40, 3600)),
    "burst": ("A burst of 10,000", traffic.burst(5, 1800, at=300, jobs=10_000, over=10)),
    "day": ("A day's tide", traffic.daily_wave(40, 75)),
    "spikes": ("Spikes every two minutes", traffic.spikes(5, 120, 3600, every=120, width=20)),
    "spike": ("A spike up and down", traffic.spikes(5, 120, 1500, every=5000, width=60)),
}


def scaling(plan: Plan) -> list[Figure]:
    """Worker hours of autoscaling with simulated traffic, compared with the minimum."""
    folder = plan.work / "charts"
    folder.mkdir(exist_ok=True)
    found = []
    for name, (title, arrivals) in TRAFFIC.items():
        arrivals = list(arrivals)
        seconds = list(traffic.serve(arrivals, PACE, BOUNDS, workers=2))
        fixed = traffic.serve(arrivals, PACE, ALWAYS, workers=ALWAYS.most)
        (folder / f"scaling-{name}.svg").write_text(_chart(title, seconds), "utf-8")
        found += _figures(title, seconds, list(fixed))
    return found


def _figures(title: str, seconds: Sequence[Second], fixed: Sequence[Second]) -> Iterator[Figure]:
    spent = sum(second.workers for second in seconds) / 3600
    least = sum(second.arrivals for second in seconds) / PACE / 3600
    note = f"a simulation: a worker does {PACE:g} jobs a second, 1 to {BOUNDS.most} workers"
    yield Figure(
        "scaling", f"{title}: worker hours", Measure(spent, "h"), "workers that are always busy",
        Measure(least, "h"), spent / least, note=note,
    )  # fmt: skip
    wait, least_wait = _longest_wait(seconds), _longest_wait(fixed)
    yield Figure(
        "scaling", f"{title}: longest wait", Measure(wait, "s"),
        f"{ALWAYS.most} workers all the time", Measure(least_wait, "s"),
        goal=f"≤ {BOUNDS.drain:g} s", met=wait <= BOUNDS.drain,
    )  # fmt: skip
    yield Figure(
        "scaling", f"{title}: changes of the number of workers", Measure(_changes(seconds), "")
    )


def _longest_wait(seconds: Sequence[Second]) -> float:
    """The longest wait of a job in seconds, in first-in-first-out order.

    ``Second.wait`` is an estimate with that second's workers; more may be started later.
    """
    longest, came, at = 0.0, 0.0, 0
    served = list(_served(seconds))
    for second in seconds:
        came += second.arrivals
        at = max(at, second.at - seconds[0].at)
        while at < len(served) - 1 and served[at] < came - 1e-6:
            at += 1
        longest = max(longest, at - (second.at - seconds[0].at))
    return longest


def _served(seconds: Sequence[Second]) -> Iterator[float]:
    """Jobs done by the end of each second."""
    came = 0.0
    for second in seconds:
        came += second.arrivals
        yield came - second.depth


def _changes(seconds: Sequence[Second]) -> int:
    return sum(before.workers != after.workers for before, after in pairwise(seconds))


def _chart(title: str, seconds: Sequence[Second]) -> str:
    parts = [list(part) for part in _parts(seconds)]
    came = [(part[0].at, fmean(one.arrivals for one in part)) for part in parts]
    can = [(part[0].at, max(one.workers for one in part) * PACE) for part in parts]
    waits = [(part[0].at, max(one.depth for one in part)) for part in parts]
    peak = max(second.workers for second in seconds)
    sub = (
        f"{min(second.workers for second in seconds)} to {peak} workers of {PACE:g} jobs a second,"
        f" {_changes(seconds)} changes, the longest wait {_longest_wait(seconds):.0f} s"
    )
    return Chart(
        title,
        sub,
        (
            Panel(
                "Jobs a second",
                [
                    ChartLine("come", came, "blue", area=True),
                    ChartLine("what the workers can do", can, "accent", stepped=True),
                ],
            ),
            Panel("Jobs that wait", [ChartLine("wait", waits, "amber", area=True)], height=100),
        ),
        0,
        seconds[-1].at + 1,
    ).svg()


def _parts(seconds: Sequence[Second]) -> Iterator[Sequence[Second]]:
    size = max(1, len(seconds) // POINTS)
    return (seconds[at : at + size] for at in range(0, len(seconds), size))
