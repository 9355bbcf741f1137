"""Estimates how long a job will wait for its verdict. Pure.

The queue is modelled as a fluid: workers drain its lanes at the rates that they have measured
themselves. Later arrivals with higher priority are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PACE_JOBS = 120  # jobs after which earlier measurements have a weight of 1/e
PACE_SECONDS = 20.0  # seconds of work after which they have
TURN_JOBS = 40  # jobs after which a change of rate is detected
SLOWER, FASTER = 1.5, 2.0  # factors of change that are hardly random
UNKNOWN_RATE = 10.0  # assumed jobs per second of a worker without measurements
SLOWEST_RATE = 1e-3  # jobs per second: shares of a rate near 0 would underflow to 0


@dataclass(slots=True)
class Pace:
    """One worker's rate, from jobs and the seconds it was busy with them.

    Texts and pictures differ so much that the last ten jobs do not predict the next hundred, and a
    burst that takes CPU time changes the rate within a second. So about a hundred jobs count, and
    older ones decay exponentially. If the last forty were much slower or faster than those before,
    a burst has begun or ended, and only they count.
    """

    jobs: float = 0.0
    seconds: float = 0.0
    lately: tuple[int, float] = (0, 0.0)

    def add(self, jobs: int, seconds: float) -> None:
        """Record ``jobs`` done in ``seconds`` of work."""
        before = self.rate
        kept = math.exp(-jobs / PACE_JOBS - seconds / PACE_SECONDS)
        self.jobs = self.jobs * kept + jobs
        self.seconds = self.seconds * kept + seconds
        self.lately = self.lately[0] + jobs, self.lately[1] + seconds
        if self.lately[0] >= TURN_JOBS:
            now = self.lately[0] / max(self.lately[1], 1e-6)
            if not before / SLOWER <= now <= before * FASTER:
                self.jobs, self.seconds = self.lately
            self.lately = 0, 0.0

    @property
    def rate(self) -> float:
        """Jobs per second while busy; 0 before the first job."""
        return self.jobs / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Crew:
    """The rates of the running workers, in jobs per second while busy; 0 if not measured yet.

    ``both`` serve both lanes, ``priority`` only the priority lane.
    """

    both: Sequence[float] = ()
    priority: Sequence[float] = ()


def estimate(ahead: int, rates: Sequence[float]) -> float:
    """Seconds until a job with ``ahead`` jobs before it is decided, if all workers serve it.

    A worker without measurements counts as a typical one. Without workers, one is assumed.
    """
    typical = _typical(rates)
    total = _total(rates, typical) or typical
    return ahead / total + 1 / typical


def in_lane(
    priority: bool,
    ahead: int,
    others: int,
    crew: Crew,
    normal_share: float,
    batch: Callable[[int], int] = lambda waiting: 1,
) -> float:
    """Seconds until a job with ``ahead`` jobs before it in its lane is decided.

    ``others`` jobs wait in the other lane. Until it is empty, workers of both lanes take
    ``normal_share`` of their jobs from the normal lane; then all from one lane. A worker takes
    ``batch(waiting)`` jobs at once, of which half are before this job on average.
    """
    typical = _typical([*crew.both, *crew.priority])
    both = _total(crew.both, typical)
    only = _total(crew.priority, typical)
    if not both and not (priority and only):
        both = typical  # no worker serves this lane: assume one
    shared = (only + both * (1 - normal_share), both * normal_share)
    mine, theirs = shared if priority else shared[::-1]
    until_empty = others / theirs if theirs else 0.0
    waiting = ahead / mine
    if waiting > until_empty:
        alone = both + (only if priority else 0.0)
        waiting = until_empty + (ahead - until_empty * mine) / alone
    return waiting + (batch(ahead) + 1) / 2 / typical


def _total(rates: Sequence[float], typical: float) -> float:
    return sum(max(rate, SLOWEST_RATE) if rate else typical for rate in rates)


def _typical(rates: Sequence[float]) -> float:
    measured = [max(rate, SLOWEST_RATE) for rate in rates if rate > 0]
    return sum(measured) / len(measured) if measured else UNKNOWN_RATE
