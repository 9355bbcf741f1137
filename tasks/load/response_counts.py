"""Answers: how many the web processes gave lately, how many were errors, how long they took.

Each process counts in memory and adds its counts to Redis once a second, in a thread of its own,
so that no request waits for it. Where Redis is away the counts of that time are lost: they are
a measurement, nothing rests on them.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from tasks.queue.lanes import get_redis

KEY = "sluice:answers:"
EVERY = 1.0  # seconds between two trips to Redis
BUCKET = 10  # seconds that one key counts
KEPT = 900  # seconds that a key is kept
SHORTEST, GROWTH = 0.001, 1.2  # seconds; a step of the histogram is a fifth longer than the last
FEWEST = 20  # answers that a share or a percentile needs to mean something


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered in a span of time: ``errors`` of ``count`` were 5xx; p95 in seconds."""

    count: int = 0
    errors: int = 0
    p95: float | None = None

    @property
    def error_rate(self) -> float | None:
        """The share of errors in percent; None where there were too few answers to tell."""
        return 100 * self.errors / self.count if self.count >= FEWEST else None


class Tally:
    """This process's counts since the last trip to Redis."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._running = False

    def note(self, status: int, seconds: float | None) -> None:
        """Count an answer; None seconds where its time says nothing, as of one that waited."""
        with self._lock:
            self._counts["all"] += 1
            self._counts["errors"] += status >= 500
            if seconds is not None:
                self._counts[f"t{step(seconds)}"] += 1
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="answers", daemon=True).start()

    def arrived(self, client_id: int) -> None:
        """Count a client's upload that its limits let in; the answer to it starts the thread."""
        with self._lock:
            self._counts[f"c{client_id}"] += 1

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            with self._lock:
                counts, self._counts = self._counts, Counter()
            if counts:
                _add(counts)


def _add(counts: Mapping[str, int]) -> None:
    key = f"{KEY}{int(time.time()) // BUCKET}"
    pipe = get_redis().pipeline(transaction=False)
    for name, number in counts.items():
        if number:
            pipe.hincrby(key, name, number)
    pipe.expire(key, KEPT)
    try:
        pipe.execute()
    except redis.RedisError:
        return


tally = Tally()


def read(seconds: int = 60) -> Answers:
    """The answers of the last seconds, of all processes; raises redis.RedisError."""
    last = int(time.time()) // BUCKET
    pipe = get_redis().pipeline(transaction=False)
    for bucket in range(last - seconds // BUCKET, last + 1):
        pipe.hgetall(f"{KEY}{bucket}")
    return added(pipe.execute())


def arrivals() -> dict[int, float]:
    """The uploads a minute of each client: over the last minute, or lately where that is more.

    Raises redis.RedisError.
    """
    now = time.time()
    last = int(now) // BUCKET
    numbers = range(last - 60 // BUCKET, last + 1)
    pipe = get_redis().pipeline(transaction=False)
    for bucket in numbers:
        pipe.hgetall(f"{KEY}{bucket}")
    buckets = [_by_client(found) for found in pipe.execute()]
    minute, lately = (
        (sum(part, Counter()), now - first * BUCKET)
        for part, first in ((buckets, numbers[0]), (buckets[-2:], numbers[-2]))
    )
    return {
        name: max(60 * found[name] / span for found, span in (minute, lately)) for name in minute[0]
    }


def _by_client(bucket: Mapping[bytes, Any]) -> Counter[int]:
    return Counter({int(n[1:]): int(number) for n, number in bucket.items() if n[:1] == b"c"})


def added(buckets: Iterable[Mapping[bytes, Any]]) -> Answers:
    """The answers of several buckets together."""
    total: Counter[str] = Counter()
    for bucket in buckets:
        total.update({name.decode(): int(number) for name, number in bucket.items()})
    steps = {int(name[1:]): number for name, number in total.items() if name[0] == "t"}
    return Answers(total["all"], total["errors"], percentile(steps, 0.95))


def step(seconds: float) -> int:
    """The step of the histogram that a time falls into; ``longest`` is its upper end."""
    return max(0, math.ceil(math.log(max(seconds, SHORTEST) / SHORTEST, GROWTH)))


def longest(number: int) -> float:
    """The longest time of a step, in seconds."""
    return SHORTEST * GROWTH**number


def percentile(steps: Mapping[int, int], share: float) -> float | None:
    """The time that this share of the answers did not exceed, in seconds, to a step; None where
    there are too few."""
    count = sum(steps.values())
    if count < FEWEST:
        return None
    seen = 0
    for number in sorted(steps):
        seen += steps[number]
        if seen >= share * count:
            return round(longest(number), 4)
    return None
