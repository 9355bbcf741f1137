"""Traffic that did not happen: arrivals by the second, and a queue that workers serve. Pure.

``scaling`` is tried against it, and ``scripts/plan`` foresees a burst with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from models.capacity.autoscaling import Bounds, Memory, Reading, choose

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Second:
    """One second: jobs that came and that wait, workers that serve, seconds to wait, and why."""

    at: int
    arrivals: float
    depth: float
    workers: int
    wait: float
    why: str


def steady(rate: float, seconds: int) -> list[float]:
    """The same arrivals every second."""
    return [rate] * seconds


def burst(rate: float, seconds: int, *, at: int, jobs: int, over: int) -> list[float]:
    """Steady, with ``jobs`` more within ``over`` seconds from ``at`` on."""
    return [rate + (jobs / over if at <= second < at + over else 0) for second in range(seconds)]


def daily_wave(mean: float, peak: float, days: int = 1) -> list[float]:
    """A day's tide around ``mean``: ``peak`` at its highest, 14 hours after midnight."""
    height = peak - mean
    turn = 2 * math.pi / DAY
    return [
        max(0.0, mean + height * math.cos(turn * (second - 14 * 3600)))
        for second in range(days * DAY)
    ]


def spikes(low: float, high: float, seconds: int, *, every: int, width: int) -> list[float]:
    """Low, with a spike of ``width`` seconds in every ``every``: what makes a scaler thrash."""
    return [high if second % every < width else low for second in range(seconds)]


def serve(
    arrivals: Iterable[float],
    pace: float,
    bounds: Bounds,
    *,
    workers: int,
    every: int = 5,
    start_up: int = 3,
) -> Iterator[Second]:
    """Each second of a queue whose workers are scaled every ``every`` seconds.

    ``pace`` is in jobs a second and worker; a worker that is started serves after ``start_up``
    seconds. The scaler sees arrivals as the mean of its last round, as the real one does.
    """
    served = list(_served(arrivals, pace, bounds, workers, every, start_up))
    for second, wait in zip(served, _waits(served, pace), strict=True):
        yield replace(second, wait=wait)


def _served(
    arrivals: Iterable[float], pace: float, bounds: Bounds, workers: int, every: int, start_up: int
) -> Iterator[Second]:
    """The seconds without the waits, which only later ones tell."""
    memory, why, depth, seen = Memory(), "", 0.0, 0.0
    ready = [0] * workers  # the second from which each worker serves
    for at, coming in enumerate(arrivals):
        serving = sum(moment <= at for moment in ready)
        depth = max(0.0, depth + coming - serving * pace)
        seen += coming
        if at % every == every - 1:
            reading = Reading(at, round(depth), seen / every, pace, len(ready))
            choice = choose(reading, bounds, memory)
            memory, why, seen = choice.memory, choice.why, 0.0
            ready = ready[: choice.workers]
            ready += [at + start_up] * (choice.workers - len(ready))
        yield Second(at, coming, depth, len(ready), 0.0, why)


def _waits(seconds: Sequence[Second], pace: float) -> Iterator[float]:
    """How long the last job of each second waits, first come first served.

    Until as many are done as had come by then; what is not done at the end, by the pace of then.
    """
    come = list(accumulate(second.arrivals for second in seconds))
    done = [came - second.depth for came, second in zip(come, seconds, strict=True)]
    later = 0
    for at, came in enumerate(come):
        later = max(later, at)
        while later < len(done) - 1 and done[later] < came - 1e-6:
            later += 1
        left = max(0.0, came - done[later]) if later == len(done) - 1 else 0.0
        yield later - at + left / max(seconds[-1].workers * pace, 1e-9)
