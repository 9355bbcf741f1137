"""How long a job will wait for its verdict. Pure.

The queue is looked at as a fluid: its lanes are drained at the pace of the workers that serve them,
as they have measured it themselves. What comes later and would overtake is not foreseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PACE_JOBS = 120  # jobs after which what was measured before counts for a third in the pace
PACE_SECONDS = 20.0  # and seconds of work after which it does
TURN_JOBS = 40  # jobs that tell whether the pace is another one now
SLOWER, FASTER = 1.5, 2.0  # times as slow or as quick as before; chance hardly does that
UNKNOWN_RATE = 10.0  # jobs a second of one worker before it has measured itself


@dataclass(slots=True)
class Pace:
    """The pace of one worker, by jobs and the seconds that it was busy with them.

    Texts and pictures differ so much that the last ten jobs say little of the next hundred, and a
    flood that takes the processors away changes it within a second: so some hundred jobs are looked
    at, however long they took, and what is older fades. Where the last forty were much slower or
    quicker than those before, a flood has begun or ended, and only they count.
    """

    jobs: float = 0.0
    seconds: float = 0.0
    lately: tuple[int, float] = (0, 0.0)

    def add(self, jobs: int, seconds: float) -> None:
        """So many jobs were done in so many seconds of work."""
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
        """Jobs a second while busy; 0 before the first one."""
        return self.jobs / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Crew:
    """Jobs a second of each running worker while it is busy, 0 for one that has not worked yet.

    ``both`` serve both lanes, ``priority`` only the lane of that name.
    """

    both: Sequence[float] = ()
    priority: Sequence[float] = ()


def estimate(ahead: int, rates: Sequence[float]) -> float:
    """Seconds until a job with ``ahead`` jobs before it is decided, all workers serving them.

    A worker that has not worked yet counts as a typical one. Without workers it is what one would
    take.
    """
    typical = _typical(rates)
    total = sum(rate or typical for rate in rates) or typical
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

    ``others`` wait in the other lane; while they do, the workers of both lanes give
    ``normal_share`` of their jobs to the normal one, and all of them to one lane once the other is
    empty. A worker takes ``batch(waiting)`` jobs at once: half of those come before it, as well.
    """
    typical = _typical([*crew.both, *crew.priority])
    both = sum(rate or typical for rate in crew.both)
    only = sum(rate or typical for rate in crew.priority)
    if not both and not (priority and only):
        both = typical  # nobody serves this lane: what one worker would take
    shared = (only + both * (1 - normal_share), both * normal_share)
    mine, theirs = shared if priority else shared[::-1]
    until_empty = others / theirs if theirs else 0.0
    waiting = ahead / mine
    if waiting > until_empty:
        alone = both + (only if priority else 0.0)
        waiting = until_empty + (ahead - until_empty * mine) / alone
    return waiting + (batch(ahead) + 1) / 2 / typical


def _typical(rates: Sequence[float]) -> float:
    known = [rate for rate in rates if rate > 0]
    return sum(known) / len(known) if known else UNKNOWN_RATE
