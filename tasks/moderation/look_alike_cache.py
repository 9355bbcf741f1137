"""The cache of flagged pictures of the last minutes, by PDQ hash: process, Redis, PostgreSQL.

A picture that this process flags is in its cache at once. New entries of other processes are read
from Redis. At the start, and while Redis is down, all entries are read from PostgreSQL. Approved
pictures are never cached here.

A hash is that of the view that was scored, and an entry belongs to the client that uploaded it.
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

KEY = "sluice:flagged:2"  # entries under "sluice:flagged" have no client, and first frames' hashes
NAME = "look_alikes"
LAYERS = ("process", "redis", "postgres")
MOST = 10_000
REFRESH = 0.5  # seconds; two look-alikes within it are both scored, which is harmless
REREAD = 2.0  # the same while Redis is down
OVERLAP = 5.0  # seconds by which the hosts' clocks may differ
ENTRY = struct.Struct("<32sfq")  # PDQ hash, score, client
FAR = 512  # bits; more than any distance
Owned = tuple[bytes, int]  # PDQ hash, client


class LookAlikeCache:
    """The flagged pictures of the last ``seconds``, in one matrix: a search of 10,000 takes 0.2 ms.

    ``least`` is the score from which a picture is cached.
    """

    def __init__(self, seconds: float, least: float = 0.2) -> None:
        self._seconds, self._least = seconds, least
        self._entries: dict[Owned, tuple[float, float, str]] = {}  # score, when, layer
        self._codes: list[Owned] = []
        self._words: NDArray[np.uint64] = np.empty((0, 4), np.uint64)
        self._clients: NDArray[np.int64] = np.empty(0, np.int64)
        self._changed = False
        self._read_at = self._read_to = float("-inf")
        self._whole = False  # whether PostgreSQL was read since Redis last failed

    def __len__(self) -> int:
        return len(self._entries)

    def has_any(self) -> bool:
        """Whether there is any entry to compare with."""
        self._refresh()
        self._drop_old()
        return bool(self._entries)

    def nearest(self, code: bytes, limit: int, client: int | None) -> tuple[float, int] | None:
        """(score, distance) of the nearest flagged picture within ``limit`` bits; or None.

        Only pictures of this client are compared; None compares those of all clients.
        """
        self._refresh()
        near = self._search(code, limit, client)
        layer = self._entries[near[0]][2] if near else None
        for name in LAYERS:
            metrics.cached(NAME, name, hit=name == layer)
            if name == layer:
                break
        return (self._entries[near[0]][0], near[1]) if near else None

    def add(self, code: bytes, score: float, client: int) -> None:
        """Cache a picture that the network has just flagged, here and for the other workers."""
        if score < self._least or not self._seconds:
            return
        now = time.time()
        self._note((code, client), score, now, "process")
        pipe = get_redis().pipeline(transaction=False)
        pipe.zadd(KEY, {ENTRY.pack(code, score, client): now})
        pipe.zremrangebyscore(KEY, "-inf", now - self._seconds)
        pipe.zremrangebyrank(KEY, 0, -MOST - 1)
        pipe.expire(KEY, int(self._seconds) + 1)
        try:
            pipe.execute()
        except redis.RedisError:
            self._whole = False

    def _search(self, code: bytes, limit: int, client: int | None) -> tuple[Owned, int] | None:
        self._drop_old()
        if self._changed:
            self._codes = list(self._entries)
            joined = b"".join(code for code, _ in self._codes)
            self._words = np.frombuffer(joined, np.uint64).reshape(-1, 4)
            self._clients = np.array([owner for _, owner in self._codes], np.int64)
            self._changed = False
        if not self._codes:
            return None
        word = np.frombuffer(code, np.uint64)
        distances = np.bitwise_count(self._words ^ word).sum(axis=1, dtype=np.uint16)
        if client is not None:
            distances[self._clients != client] = FAR
        at = int(distances.argmin())
        return (self._codes[at], int(distances[at])) if distances[at] <= limit else None

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._read_at < (REFRESH if self._whole else REREAD):
            return
        self._read_at = now
        if not self._whole:
            for code, client, score, age in flagged_lately(self._seconds, self._least, MOST):
                self._note((code, client), score, time.time() - age, "postgres")
        self._whole = self._read_shared()

    def _read_shared(self) -> bool:
        since, now = max(self._read_to - OVERLAP, time.time() - self._seconds), time.time()
        try:
            rows: Any = get_redis().zrangebyscore(KEY, since, "+inf", withscores=True)
        except redis.RedisError:
            return False
        for entry, at in rows:
            code, score, client = ENTRY.unpack(entry)
            self._note((code, client), score, at, "redis")
        self._read_to = now
        return True

    def _note(self, owned: Owned, score: float, at: float, layer: str) -> None:
        existing = self._entries.get(owned)
        if existing is None or existing[1] < at:
            # Added again at the end, so that the dict stays ordered by time.
            self._entries.pop(owned, None)
            self._entries[owned] = (score, at, existing[2] if existing else layer)
            self._changed = True

    def _drop_old(self) -> None:
        late = time.time() - self._seconds
        while self._entries:
            first = next(iter(self._entries))
            if self._entries[first][1] >= late and len(self._entries) <= MOST:
                return
            del self._entries[first]
            self._changed = True
