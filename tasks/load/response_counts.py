"""Recent responses of all web processes: their number, their errors, their p95 latency.

Each process counts in memory and adds its counts to Redis once a second in its own thread, so that
no request waits for it. While Redis is down the counts are lost; nothing depends on them being
complete.
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
EVERY = 1.0  # seconds between two writes to Redis
BUCKET = 10  # seconds that one key covers
EXPIRY = 900  # seconds until a key expires
SHORTEST, GROWTH = 0.001, 1.2  # seconds; each histogram step is 20 % longer than the last
SURE = 3.0  # seconds of a bucket from which its rate means something
FEWEST = 20  # responses; below this a share or a percentile means nothing


@dataclass(frozen=True, slots=True)
class ResponseCounts:
    """The responses of a span of time: ``errors`` of ``count`` were 5xx; p95 is in seconds."""

    count: int = 0
    errors: int = 0
    p95: float | None = None

    @property
    def error_rate(self) -> float | None:
        """The share of errors in percent; None if there were too few responses."""
        return 100 * self.errors / self.count if self.count >= FEWEST else None


class ResponseCounter:
    """This process's counts since the last write to Redis."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._running = False

    def response(self, status: int, seconds: float | None) -> None:
        """Count a response; ``seconds`` is None if the client asked it to wait."""
        with self._lock:
            self._counts["all"] += 1
            self._counts["errors"] += status >= 500
            if seconds is not None:
                self._counts[f"t{step(seconds)}"] += 1
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="response-counts", daemon=True).start()

    def upload(self, client_id: int) -> None:
        """Count a client's upload that its limits accepted; its response starts the thread."""
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
    pipe.expire(key, EXPIRY)
    try:
        pipe.execute()
    except redis.RedisError:
        return


counter = ResponseCounter()


def read(seconds: int = 60) -> ResponseCounts:
    """The responses of the last seconds, of all processes; raises redis.RedisError."""
    last = int(time.time()) // BUCKET
    pipe = get_redis().pipeline(transaction=False)
    for bucket in range(last - seconds // BUCKET, last + 1):
        pipe.hgetall(f"{KEY}{bucket}")
    return summed(pipe.execute())


def arrivals() -> dict[int, float]:
    """Each client's uploads per minute: over the last minute, or the last two buckets if more.

    Raises redis.RedisError.
    """
    now = time.time()
    last = int(now) // BUCKET
    numbers = range(last - 60 // BUCKET, last + 1)
    pipe = get_redis().pipeline(transaction=False)
    for bucket in numbers:
        pipe.hgetall(f"{KEY}{bucket}")
    buckets = [_by_client(bucket) for bucket in pipe.execute()]
    minute, recent = (
        (sum(part, Counter()), now - first * BUCKET)
        for part, first in ((buckets, numbers[0]), (buckets[-2:], numbers[-2]))
    )
    return {
        name: max(60 * counts[name] / span for counts, span in (minute, recent))
        for name in minute[0]
    }


def uploads_per_second() -> float:
    """Accepted uploads of all clients per second, over the last ten to twenty seconds.

    Or in the current bucket, if that is more: a burst has just begun. Raises redis.RedisError.
    """
    now = time.time()
    last = int(now) // BUCKET
    pipe = get_redis().pipeline(transaction=False)
    for bucket in (last - 1, last):
        pipe.hgetall(f"{KEY}{bucket}")
    before, current = (sum(_by_client(part).values()) for part in pipe.execute())
    return rate(before, current, now % BUCKET)


def rate(before: int, current: int, elapsed: float) -> float:
    """Per second, from the counts of the last whole bucket and of the current one so far.

    The current bucket alone counts after ``SURE`` seconds; the counts are up to a second late.
    """
    whole = (before + current) / (BUCKET + elapsed)
    return max(whole, current / elapsed) if elapsed >= SURE else whole


def _by_client(bucket: Mapping[bytes, Any]) -> Counter[int]:
    return Counter({int(n[1:]): int(number) for n, number in bucket.items() if n[:1] == b"c"})


def summed(buckets: Iterable[Mapping[bytes, Any]]) -> ResponseCounts:
    """The counts of several buckets together."""
    total: Counter[str] = Counter()
    for bucket in buckets:
        total.update({name.decode(): int(number) for name, number in bucket.items()})
    steps = {int(name[1:]): number for name, number in total.items() if name[0] == "t"}
    return ResponseCounts(total["all"], total["errors"], percentile(steps, 0.95))


def step(seconds: float) -> int:
    """The histogram step that a time falls into; ``longest`` gives its upper end."""
    return max(0, math.ceil(math.log(max(seconds, SHORTEST) / SHORTEST, GROWTH)))


def longest(number: int) -> float:
    """The longest time of a step, in seconds."""
    return SHORTEST * GROWTH**number


def percentile(steps: Mapping[int, int], share: float) -> float | None:
    """The time in seconds that this share of the responses did not exceed, rounded up to a step.

    None if there are too few responses.
    """
    count = sum(steps.values())
    if count < FEWEST:
        return None
    seen = 0
    for number in sorted(steps):
        seen += steps[number]
        if seen >= share * count:
            return round(longest(number), 4)
    return None
