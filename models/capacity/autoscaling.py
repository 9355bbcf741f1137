"""How many workers are wanted, from the depth, the arrivals and the pace of one worker. Pure.

The number comes from Little's law: workers enough for what arrives, kept busy for a share of their
time, and for the backlog to be gone within ``drain`` seconds. Against thrashing it goes up at once
and then rests, and comes down only to the largest number that was wanted during the whole of the
last cooldown (the stabilisation window of Kubernetes' HorizontalPodAutoscaler).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

TOLERANCE = 0.1  # a wish that differs by less than this share is none


@dataclass(frozen=True, slots=True)
class Reading:
    """The load at one moment: ``at`` in seconds, rates in jobs a second.

    ``pace`` is what one worker does while it is busy; 0 where none has worked yet. ``others`` are
    workers of other hosts, on the same queue.
    """

    at: float
    depth: int
    arrivals: float
    pace: float
    workers: int
    others: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Fewest and most workers, the cooldowns in seconds, and what is aimed at."""

    fewest: int
    most: int
    up_cooldown: float = 60.0
    down_cooldown: float = 300.0
    drain: float = 60.0  # seconds within which a backlog shall be gone
    busy: float = 0.8  # share of its time that a worker shall be busy


@dataclass(frozen=True, slots=True)
class Memory:
    """What a choice needs to know of those before it: wishes as (at, workers), newest last."""

    wishes: tuple[tuple[float, int], ...] = ()
    began_at: float = math.inf
    went_up_at: float = -math.inf
    went_down_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class Choice:
    """How many workers there shall be, why, and what to remember for the next choice."""

    workers: int
    why: str
    memory: Memory = field(default_factory=Memory)


def needed(reading: Reading, bounds: Bounds) -> float:
    """Workers that this load asks of this host, without bounds; its own where no pace is known.

    Hosts share the load as they share the workers: each that scales itself so comes to rest, where
    all that counted on the others would go up together and down together.
    """
    if reading.pace <= 0:
        return float(reading.workers)
    wanted = (reading.arrivals + reading.depth / bounds.drain) / (reading.pace * bounds.busy)
    own = max(reading.workers, 1)
    return wanted * own / (own + reading.others)


def choose(reading: Reading, bounds: Bounds, memory: Memory) -> Choice:
    """The number of workers from now on; ``workers`` stays as it is where nothing shall change."""
    exact = needed(reading, bounds)
    wish = _within(exact, reading.workers, bounds)
    memory = _remember(memory, reading.at, wish, bounds)
    now = reading.workers
    if now < bounds.fewest or now > bounds.most:
        wish = min(max(now, bounds.fewest), bounds.most)
        return Choice(wish, f"outside of {bounds.fewest} to {bounds.most}", memory)
    if wish > now:
        return _up(reading, bounds, memory, wish)
    largest = max(number for _, number in memory.wishes)
    if largest < now:
        return _down(reading, bounds, memory, largest)
    return Choice(now, "as wanted" if wish == now else "the load has not been low for long", memory)


def _within(exact: float, now: int, bounds: Bounds) -> int:
    if now and abs(exact / now - 1) <= TOLERANCE:
        exact = now
    return min(max(math.ceil(exact), bounds.fewest), bounds.most)


def _remember(memory: Memory, at: float, wish: int, bounds: Bounds) -> Memory:
    since = at - bounds.down_cooldown
    kept = tuple(entry for entry in memory.wishes if entry[0] > since)
    return replace(memory, wishes=(*kept, (at, wish)), began_at=min(memory.began_at, at))


def _up(reading: Reading, bounds: Bounds, memory: Memory, wish: int) -> Choice:
    rest = memory.went_up_at + bounds.up_cooldown - reading.at
    if rest > 0:
        why = f"{wish} wanted; the last step up was less than {bounds.up_cooldown:.0f} s ago"
        return Choice(reading.workers, why, memory)
    return Choice(wish, _because(reading, bounds), replace(memory, went_up_at=reading.at))


def _down(reading: Reading, bounds: Bounds, memory: Memory, wish: int) -> Choice:
    last = max(memory.went_up_at, memory.went_down_at, memory.began_at)
    if reading.at - last < bounds.down_cooldown:
        why = f"{wish} would do; the last change was less than {bounds.down_cooldown:.0f} s ago"
        return Choice(reading.workers, why, memory)
    return Choice(wish, _because(reading, bounds), replace(memory, went_down_at=reading.at))


def put_off(choice: Choice, reading: Reading, before: Memory, why: str) -> Choice:
    """The same number for now: a step that was not taken begins no cooldown."""
    memory = replace(choice.memory, went_up_at=before.went_up_at, went_down_at=before.went_down_at)
    return Choice(reading.workers, why, memory)


def _because(reading: Reading, bounds: Bounds) -> str:
    load = f"{reading.depth:,} wait, {reading.arrivals:.1f} a second come"
    others = f", {reading.others} workers elsewhere" if reading.others else ""
    wanted = math.ceil(needed(reading, bounds))
    short = f"; {wanted} wanted, {bounds.most} allowed" if wanted > bounds.most else ""
    return f"{load}, a worker does {reading.pace:.1f}{others}{short}"
