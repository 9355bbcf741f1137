"""A client's own share of the queue: its mode and its wait follow from it. Pure.

Workers serve clients in turns, by weight (`tasks/queue/fair_order.py`). So a job waits for the jobs
of its own client before it, and for those of other clients whose turn comes earlier. It does not
wait for the rest of another client's flood.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from models.capacity.mode import ASYNC, COMING_DOWN, FAST_TRACK, SYNC
from models.settings import Settings

UNKNOWN_COST = 0.05  # seconds per job of a client that has no jobs in the queue


@dataclass(frozen=True, slots=True)
class Flow:
    """The jobs of one client in one lane: how many, its weight, and its mean seconds per job.

    ``lead`` is its virtual time after the lane's clock, in seconds of work divided by weight.
    """

    name: str
    jobs: int
    weight: float
    cost: float
    lead: float = 0.0

    @property
    def step(self) -> float:
        """The virtual time that one job takes."""
        return self.cost / self.weight


def jobs_ahead(
    flows: Iterable[Flow], name: str, before: int | None = None, weight: float = 1.0
) -> int:
    """Jobs of a lane that are served before a job of this client.

    ``before`` of its own are before it; None if it would be its last one.
    """
    others = {flow.name: flow for flow in flows}
    mine = others.pop(name, Flow(name, 0, weight, UNKNOWN_COST))
    own = mine.jobs if before is None else before
    turn = max(0.0, mine.lead) + own * mine.step
    return own + sum(_served_until(turn, flow) for flow in others.values())


def _served_until(turn: float, flow: Flow) -> int:
    if flow.lead > turn:
        return 0
    return min(flow.jobs, math.floor((turn - flow.lead) / flow.step) + 1)


def mode_of(overall: str, ahead: int, depth: int, settings: Settings) -> str:
    """A client's mode: the server's, or a faster one if few jobs are before its next one.

    A client that waits behind most of a long queue (``depth`` jobs) has the server's mode. For the
    others the thresholds are those at which a mode ends, as ``overall`` has begun already.
    """
    from_async = settings.sync_max_depth * COMING_DOWN
    if overall not in (ASYNC, FAST_TRACK) or (ahead >= COMING_DOWN * depth and ahead >= from_async):
        return overall
    if overall == FAST_TRACK and ahead >= settings.fast_track_depth * COMING_DOWN:
        return FAST_TRACK
    return ASYNC if ahead >= from_async else SYNC
