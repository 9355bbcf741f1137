"""Flagged pictures of the last minutes, found again by their look: process, Redis, PostgreSQL.

What this process flags it knows at once; what others flag it reads from Redis, only what is new;
at the start, and while Redis is away, it reads all from PostgreSQL. Nothing approved is in here.
"""

from __future__ import annotations

import struct
import time
from typing import Any

import numpy as np
import redis
from numpy.typing import NDArray

from models.submissions.image import flagged_lately
from tasks.observability import metrics
from tasks.queue.lanes import get_redis

KEY = "sluice:flagged"
NAME = "look_alikes"
LAYERS = ("process", "redis", "postgres")
MOST = 10_000
REFRESH = 0.5  # seconds; two look-alikes within it are both looked at, which is harmless
REREAD = 2.0  # the same while Redis is away
OVERLAP = 5.0  # seconds by which the hosts' clocks may differ
ENTRY = struct.Struct("<32sf")  # PDQ hash, score


class Alikes:
    """The flagged pictures of the last ``seconds``, in one matrix: 10,000 take some 0.2 ms."""

    def __init__(self, seconds: float, least: float = 0.2) -> None:
        self._seconds, self._least = seconds, least
        self._entries: dict[bytes, tuple[float, float, str]] = {}  # score, when, layer
        self._codes: list[bytes] = []
        self._words: NDArray[np.uint64] = np.empty((0, 4), np.uint64)
        self._changed = False
        self._read_at = self._read_to = float("-inf")
        self._whole = False  # whether PostgreSQL was read since Redis last failed

    def __len__(self) -> int:
        return len(self._entries)

    def nearest(self, code: bytes, limit: int) -> tuple[float, int] | None:
        """(score, distance) of the nearest flagged look-alike within ``limit`` bits."""
        self._refresh()
        near = self._search(code, limit)
        layer = self._entries[near[0]][2] if near else None
        for name in LAYERS:
            metrics.cached(NAME, name, hit=name == layer)
            if name == layer:
                break
        return (self._entries[near[0]][0], near[1]) if near else None

    def add(self, code: bytes, score: float) -> None:
        """Know a picture that the network flagged just now, and let the others know."""
        if score < self._least or not self._seconds:
            return
        now = time.time()
        self._note(code, score, now, "process")
        pipe = get_redis().pipeline(transaction=False)
        pipe.zadd(KEY, {ENTRY.pack(code, score): now})
        pipe.zremrangebyscore(KEY, "-inf", now - self._seconds)
        pipe.zremrangebyrank(KEY, 0, -MOST - 1)
        pipe.expire(KEY, int(self._seconds) + 1)
        try:
            pipe.execute()
        except redis.RedisError:
            self._whole = False

    def _search(self, code: bytes, limit: int) -> tuple[bytes, int] | None:
        self._let_go()
        if self._changed:
            self._codes = list(self._entries)
            self._words = np.frombuffer(b"".join(self._codes), np.uint64).reshape(-1, 4)
            self._changed = False
        if not self._codes:
            return None
        word = np.frombuffer(code, np.uint64)
        distances = np.bitwise_count(self._words ^ word).sum(axis=1, dtype=np.uint16)
        at = int(distances.argmin())
        return (self._codes[at], int(distances[at])) if distances[at] <= limit else None

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._read_at < (REFRESH if self._whole else REREAD):
            return
        self._read_at = now
        if not self._whole:
            for code, score, age in flagged_lately(self._seconds, self._least, MOST):
                self._note(code, score, time.time() - age, "postgres")
        self._whole = self._read_shared()

    def _read_shared(self) -> bool:
        since, now = max(self._read_to - OVERLAP, time.time() - self._seconds), time.time()
        try:
            rows: Any = get_redis().zrangebyscore(KEY, since, "+inf", withscores=True)
        except redis.RedisError:
            return False
        for entry, at in rows:
            code, score = ENTRY.unpack(entry)
            self._note(code, score, at, "redis")
        self._read_to = now
        return True

    def _note(self, code: bytes, score: float, at: float, layer: str) -> None:
        known = self._entries.get(code)
        if known is None or known[1] < at:
            self._entries.pop(code, None)  # the dict stays in the order of arrival
            self._entries[code] = (score, at, known[2] if known else layer)
            self._changed = True

    def _let_go(self) -> None:
        late = time.time() - self._seconds
        while self._entries:
            first = next(iter(self._entries))
            if self._entries[first][1] >= late and len(self._entries) <= MOST:
                return
            del self._entries[first]
            self._changed = True
