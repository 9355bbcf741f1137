"""The cache of scores by SHA-256, in three layers: process, Redis, PostgreSQL.

Only scores are cached, never verdicts. A score belongs to the bytes and the network; the current
policy, rules and hash bank judge it again each time. Each layer is bounded, and if one is down the
others still serve.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import redis

from models.settings import Settings
from models.submissions.image import scored_twins
from tasks.observability import metrics
from tasks.queue.lanes import get_redis

MOST = 10_000  # entries of a process, and of each of three hashes in Redis: 10 MB in all
RETRY_AFTER = 5.0  # seconds that Redis is not asked after it failed
NAME = "same_bytes"
PREFIX = "sluice:scores:2"  # of the entries' form; earlier ones lack the view that was scored
CachedScore = tuple[Any, ...]  # as models.submissions.image.scored_twins has it


class LocalScores:
    """The entries of this process. If there are too many, the least recently used are dropped."""

    def __init__(self, seconds: float, most: int = MOST) -> None:
        self._seconds, self._most = seconds, most
        self._entries: OrderedDict[bytes, tuple[float, CachedScore]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> CachedScore | None:
        """The entry; None if there is none, or if it has expired."""
        with self._lock:
            at, cached = self._entries.get(key, (0.0, None))
            if cached is None:
                return None
            if time.monotonic() - at >= self._seconds:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return cached

    def put(self, key: bytes, cached: CachedScore) -> None:
        """Add an entry; its time to live begins now."""
        with self._lock:
            self._entries[key] = (time.monotonic(), cached)
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)


class SharedScores:
    """The entries that all workers share in Redis, for ``seconds``.

    Each Redis hash holds the entries of half that time. Three hashes are read; each expires as a
    whole, and accepts no more entries when it is full.
    """

    def __init__(self, prefix: str, seconds: float) -> None:
        self._prefix, self._seconds = prefix, seconds
        self._half = max(1.0, seconds / 2)
        self._full, self._paused_until = -1, 0.0

    def get(self, keys: Collection[bytes]) -> dict[bytes, CachedScore]:
        """The entries that exist, by key; none if Redis is down."""
        digests, now = list(keys), time.time()
        if not digests or not self._seconds or time.monotonic() < self._paused_until:
            return {}
        slot = int(now // self._half)
        pipe = get_redis().pipeline(transaction=False)
        for number in (slot, slot - 1, slot - 2):
            pipe.hmget(f"{self._prefix}:{number}", digests)
        try:
            replies = pipe.execute()
        except redis.RedisError:
            self._pause()
            return {}
        found: dict[bytes, CachedScore] = {}
        for reply in reversed(replies):  # the newest hash last, so that its entry is returned
            for key, text in zip(digests, reply, strict=True):
                at, cached = _decoded(text) if text else (0.0, ())
                if now - at < self._seconds:
                    found[key] = cached
        return found

    def put_all(self, scores: Mapping[bytes, CachedScore]) -> None:
        """Add entries, if there is room and Redis answers."""
        slot = int(time.time() // self._half)
        if not self._seconds or self._full == slot or time.monotonic() < self._paused_until:
            return
        name = f"{self._prefix}:{slot}"
        pipe = get_redis().pipeline(transaction=False)
        pipe.hset(name, mapping={key: _encoded(cached) for key, cached in scores.items()})
        pipe.expire(name, int(3 * self._half) + 1)
        pipe.hlen(name)
        try:
            if pipe.execute()[-1] >= MOST:
                self._full = slot
        except redis.RedisError:
            self._pause()

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + RETRY_AFTER


class ScoreCache:
    """The network's scores by SHA-256, in all three layers."""

    def __init__(self, settings: Settings) -> None:
        network = f"{settings.nsfw_engine} {settings.nsfw_model}"
        mark = hashlib.sha256(network.encode()).hexdigest()[:8]  # another network has other scores
        self._seconds = settings.result_ttl
        self._local = LocalScores(min(settings.dedupe_local_ttl, settings.result_ttl))
        self._shared = SharedScores(f"{PREFIX}:{mark}", settings.result_ttl)
        self._unshared: dict[bytes, CachedScore] = {}
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> CachedScore | None:
        """The score of these bytes within RESULT_TTL, as ``scored_twins`` has it; or None."""
        return self.get_all([digest]).get(digest)

    def local(self, digest: bytes) -> CachedScore | None:
        """The same, from this process's layer alone."""
        return self._local.get(digest)

    def get_all(self, digests: Collection[bytes]) -> dict[bytes, CachedScore]:
        """The same for several, with one lookup in each layer."""
        found = {d: cached for d in digests if (cached := self._local.get(d)) is not None}
        left = _count("process", digests, found)
        from_shared = self._shared.get(left)
        left = _count("redis", left, from_shared)
        stored = scored_twins(left, self._seconds)
        _count("postgres", left, stored)
        for digest, cached in (from_shared | stored).items():
            self._local.put(digest, cached)
        return found | from_shared | stored

    def put(self, digest: bytes, cached: CachedScore) -> None:
        """Cache a new score in this process, of a picture without doubts; ``share`` sends it on."""
        self._local.put(digest, cached)
        with self._lock:
            self._unshared[digest] = cached

    def share(self) -> None:
        """Give the new scores to the other workers, in one trip to Redis."""
        with self._lock:
            scores, self._unshared = self._unshared, {}
        if scores:
            self._shared.put_all(scores)


def _count(
    layer: str, digests: Collection[bytes], found: Mapping[bytes, CachedScore]
) -> list[bytes]:
    """Count a layer's hits and misses; returns the digests that it did not have."""
    for digest in digests:
        metrics.cached(NAME, layer, hit=digest in found)
    return [digest for digest in digests if digest not in found]


def _encoded(cached: CachedScore) -> str:
    *numbers, pdq, quality, image_id = cached
    return json.dumps([time.time(), *numbers, bytes(pdq or b"").hex(), quality, str(image_id)])


def _decoded(text: bytes) -> tuple[float, CachedScore]:
    at, *numbers, pdq, quality, image_id = json.loads(text)
    return at, (*numbers, bytes.fromhex(pdq) or None, quality, UUID(image_id))
