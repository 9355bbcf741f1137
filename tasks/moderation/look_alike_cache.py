"""The cache of flagged pictures of the last minutes, by PDQ hash: process, Redis, PostgreSQL.

A picture that this process flags is in its cache at once. New entries of other processes are read
from Redis. At the start, and while Redis is down, all entries are read from PostgreSQL. Approved
pictures are never cached here.
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
REFRESH = 0.5  # seconds; two look-alikes within it are both scored, which is harmless
REREAD = 2.0  # the same while Redis is down
OVERLAP = 5.0  # seconds by which the hosts' clocks may differ
ENTRY = struct.Struct("<32sf")  # PDQ hash, score


class LookAlikeCache:
    """The flagged pictures of the last ``seconds``, in one matrix: a search of 10,000 takes 0.2 ms.

    ``least`` is the score from which a picture is cached.
    """

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
        """(score, distance) of the nearest flagged picture within ``limit`` bits; or None."""
        self._refresh()
        near = self._search(code, limit)
        layer = self._entries[near[0]][2] if near else None
        for name in LAYERS:
            metrics.cached(NAME, name, hit=name == layer)
            if name == layer:
                break
        return (self._entries[near[0]][0], near[1]) if near else None

    def add(self, code: bytes, score: float) -> None:
        """Cache a picture that the network has just flagged, here and for the other workers."""
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
        self._drop_old()
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
        existing = self._entries.get(code)
        if existing is None or existing[1] < at:
            self._entries.pop(
                code, None
            )  # added again at the end, so that the dict stays ordered by time
            self._entries[code] = (score, at, existing[2] if existing else layer)
            self._changed = True

    def _drop_old(self) -> None:
        late = time.time() - self._seconds
        while self._entries:
            first = next(iter(self._entries))
            if self._entries[first][1] >= late and len(self._entries) <= MOST:
                return
            del self._entries[first]
            self._changed = True
