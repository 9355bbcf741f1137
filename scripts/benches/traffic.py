"""Simulated traffic: arrivals per second, and a queue served by workers. Pure.

Used by the row ``scaling``.
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
    """One second: arrived and waiting jobs, serving workers, the wait, and the reason."""

    at: int
    arrivals: float
    depth: float
    workers: int
    wait: float
    why: str


def steady(rate: float, seconds: int) -> list[float]:
    """Constant arrivals."""
    return [rate] * seconds


def burst(rate: float, seconds: int, *, at: int, jobs: int, over: int) -> list[float]:
    """Steady, with ``jobs`` more within ``over`` seconds from ``at`` on."""
    return [rate + (jobs / over if at <= second < at + over else 0) for second in range(seconds)]


def daily_wave(mean: float, peak: float, days: int = 1) -> list[float]:
    """A daily wave around ``mean``, with its ``peak`` 14 hours after midnight."""
    height = peak - mean
    turn = 2 * math.pi / DAY
    return [
        max(0.0, mean + height * math.cos(turn * (second - 14 * 3600)))
        for second in range(days * DAY)
    ]


def spikes(low: float, high: float, seconds: int, *, every: int, width: int) -> list[float]:
    """Low arrivals with a spike of ``width`` seconds every ``every`` seconds."""
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
    """Simulate a queue whose workers are scaled every ``every`` seconds, second by second.

    ``pace`` is in jobs per second and worker; a new worker serves after ``start_up`` seconds. The
    autoscaler gets the mean arrivals of its last round, as in production.
    """
    served = list(_served(arrivals, pace, bounds, workers, every, start_up))
    for second, wait in zip(served, _waits(served, pace), strict=True):
        yield replace(second, wait=wait)


def _served(
    arrivals: Iterable[float], pace: float, bounds: Bounds, workers: int, every: int, start_up: int
) -> Iterator[Second]:
    """The seconds without the waits, which depend on later seconds."""
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
    """The wait of the last job of each second, in first-in-first-out order.

    For jobs not done at the end of the simulation it is estimated from the final rate.
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
