"""Computes the number of workers from queue depth, arrival rate and one worker's rate. Pure.

The number follows Little's law: enough workers for the arrivals at a target utilisation, and to
drain the backlog within ``drain`` seconds. To avoid thrashing, it scales up at once and then waits,
and scales down only to the largest number required during the whole last cooldown (like the
stabilisation window of Kubernetes' HorizontalPodAutoscaler).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

TOLERANCE = 0.1  # a smaller relative difference changes nothing


@dataclass(frozen=True, slots=True)
class Reading:
    """The load at a time ``at`` in seconds; rates are in jobs per second.

    ``pace`` is one worker's rate while busy; 0 if none has worked yet. ``others`` are workers of
    other hosts on the same queue.
    """

    at: float
    depth: int
    arrivals: float
    pace: float
    workers: int
    others: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum number of workers, cooldowns in seconds, and targets."""

    fewest: int
    most: int
    up_cooldown: float = 60.0
    down_cooldown: float = 300.0
    drain: float = 60.0  # seconds within which a backlog is to be drained
    busy: float = 0.8  # target utilisation of a worker


@dataclass(frozen=True, slots=True)
class Memory:
    """State from earlier choices: required numbers as (at, workers), newest last."""

    wishes: tuple[tuple[float, int], ...] = ()
    began_at: float = math.inf
    went_up_at: float = -math.inf
    went_down_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class Choice:
    """The number of workers, the reason, and the state for the next choice."""

    workers: int
    why: str
    memory: Memory = field(default_factory=Memory)


def needed(reading: Reading, bounds: Bounds) -> float:
    """The workers that this host requires, without bounds; the current number if no rate is known.

    Each host takes a share of the load equal to its share of the workers. So several autoscaling
    hosts converge, instead of all going up and down together.
    """
    if reading.pace <= 0:
        return float(reading.workers)
    required = (reading.arrivals + reading.depth / bounds.drain) / (reading.pace * bounds.busy)
    own = max(reading.workers, 1)
    return required * own / (own + reading.others)


def choose(reading: Reading, bounds: Bounds, memory: Memory) -> Choice:
    """The number of workers from now on; the current one if nothing changes."""
    exact = needed(reading, bounds)
    target = _within(exact, reading.workers, bounds)
    memory = _remember(memory, reading.at, target, bounds)
    now = reading.workers
    if now < bounds.fewest or now > bounds.most:
        target = min(max(now, bounds.fewest), bounds.most)
        return Choice(target, f"outside of {bounds.fewest} to {bounds.most}", memory)
    if target > now:
        return _up(reading, bounds, memory, target)
    largest = max(number for _, number in memory.wishes)
    if largest < now:
        return _down(reading, bounds, memory, largest)
    return Choice(
        now, "as required" if target == now else "the load has not been low for long enough", memory
    )


def _within(exact: float, now: int, bounds: Bounds) -> int:
    if now and abs(exact / now - 1) <= TOLERANCE:
        exact = now
    return min(max(math.ceil(exact), bounds.fewest), bounds.most)


def _remember(memory: Memory, at: float, target: int, bounds: Bounds) -> Memory:
    since = at - bounds.down_cooldown
    kept = tuple(entry for entry in memory.wishes if entry[0] > since)
    return replace(memory, wishes=(*kept, (at, target)), began_at=min(memory.began_at, at))


def _up(reading: Reading, bounds: Bounds, memory: Memory, target: int) -> Choice:
    rest = memory.went_up_at + bounds.up_cooldown - reading.at
    if rest > 0:
        why = f"{target} required; the last step up was less than {bounds.up_cooldown:.0f} s ago"
        return Choice(reading.workers, why, memory)
    return Choice(target, _because(reading, bounds), replace(memory, went_up_at=reading.at))


def _down(reading: Reading, bounds: Bounds, memory: Memory, target: int) -> Choice:
    last = max(memory.went_up_at, memory.went_down_at, memory.began_at)
    if reading.at - last < bounds.down_cooldown:
        why = f"{target} are enough; the last change was less than {bounds.down_cooldown:.0f} s ago"
        return Choice(reading.workers, why, memory)
    return Choice(target, _because(reading, bounds), replace(memory, went_down_at=reading.at))


def put_off(choice: Choice, reading: Reading, before: Memory, why: str) -> Choice:
    """Keep the current number for now; a skipped step starts no cooldown."""
    memory = replace(choice.memory, went_up_at=before.went_up_at, went_down_at=before.went_down_at)
    return Choice(reading.workers, why, memory)


def _because(reading: Reading, bounds: Bounds) -> str:
    load = f"{reading.depth:,} waiting, {reading.arrivals:.1f} arrivals per second"
    others = f", {reading.others} workers on other hosts" if reading.others else ""
    required = math.ceil(needed(reading, bounds))
    short = f"; {required} required, {bounds.most} allowed" if required > bounds.most else ""
    return f"{load}, {reading.pace:.1f} per second and worker{others}{short}"
