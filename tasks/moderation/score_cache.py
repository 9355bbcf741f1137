"""What is known of bytes that came before, in three layers: process, Redis, PostgreSQL.

Only scores are kept, never verdicts: a score belongs to the bytes and the network, and is judged
anew by the policy, the rules and the hash banks of the moment. Each layer is bounded, and where one
is away the others go on.
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
PATIENCE = 5.0  # seconds that Redis is not asked after it failed
NAME = "same_bytes"
Twin = tuple[Any, ...]  # as models.submissions.image.scored_twins has it


class Recently:
    """The last entries of this process, the least used of too many let go first."""

    def __init__(self, seconds: float, most: int = MOST) -> None:
        self._seconds, self._most = seconds, most
        self._entries: OrderedDict[bytes, tuple[float, Twin]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Twin | None:
        """The entry, None where there is none that is young enough."""
        with self._lock:
            at, twin = self._entries.get(key, (0.0, None))
            if twin is None:
                return None
            if time.monotonic() - at >= self._seconds:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return twin

    def put(self, key: bytes, twin: Twin) -> None:
        """Keep an entry from now on."""
        with self._lock:
            self._entries[key] = (time.monotonic(), twin)
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)


class Shared:
    """Entries that all workers share in Redis for some seconds.

    They lie in hashes by the half of that time in which they came, three of which are looked at;
    each goes as a whole, and takes no more when it is full.
    """

    def __init__(self, prefix: str, seconds: float) -> None:
        self._prefix, self._seconds = prefix, seconds
        self._half = max(1.0, seconds / 2)
        self._full, self._away_until = -1, 0.0

    def get(self, keys: Collection[bytes]) -> dict[bytes, Twin]:
        """Those that are there; nothing where Redis is away."""
        wanted, now = list(keys), time.time()
        if not wanted or not self._seconds or time.monotonic() < self._away_until:
            return {}
        slot = int(now // self._half)
        pipe = get_redis().pipeline(transaction=False)
        for number in (slot, slot - 1, slot - 2):
            pipe.hmget(f"{self._prefix}:{number}", wanted)
        try:
            replies = pipe.execute()
        except redis.RedisError:
            self._rest()
            return {}
        found: dict[bytes, Twin] = {}
        for reply in reversed(replies):  # the newest holds
            for key, text in zip(wanted, reply, strict=True):
                at, twin = _decoded(text) if text else (0.0, ())
                if now - at < self._seconds:
                    found[key] = twin
        return found

    def put_all(self, twins: Mapping[bytes, Twin]) -> None:
        """Keep entries for all, where there is room and Redis answers."""
        slot = int(time.time() // self._half)
        if not self._seconds or self._full == slot or time.monotonic() < self._away_until:
            return
        name = f"{self._prefix}:{slot}"
        pipe = get_redis().pipeline(transaction=False)
        pipe.hset(name, mapping={key: _encoded(twin) for key, twin in twins.items()})
        pipe.expire(name, int(3 * self._half) + 1)
        pipe.hlen(name)
        try:
            if pipe.execute()[-1] >= MOST:
                self._full = slot
        except redis.RedisError:
            self._rest()

    def _rest(self) -> None:
        self._away_until = time.monotonic() + PATIENCE


class Scores:
    """The network's scores by SHA-256."""

    def __init__(self, settings: Settings) -> None:
        network = f"{settings.nsfw_engine} {settings.nsfw_model}"
        mark = hashlib.sha256(network.encode()).hexdigest()[:8]  # another network, other scores
        self._seconds = settings.result_ttl
        self._local = Recently(min(settings.dedupe_local_ttl, settings.result_ttl))
        self._shared = Shared(f"sluice:scores:{mark}", settings.result_ttl)
        self._unshared: dict[bytes, Twin] = {}
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> Twin | None:
        """What the network said of these bytes within RESULT_TTL, as ``scored_twins``; or None."""
        return self.get_all([digest]).get(digest)

    def kept(self, digest: bytes) -> Twin | None:
        """The same, of what this process knows itself."""
        return self._local.get(digest)

    def get_all(self, digests: Collection[bytes]) -> dict[bytes, Twin]:
        """The same of several, with one look into each layer."""
        found = {d: twin for d in digests if (twin := self._local.get(d)) is not None}
        left = _count("process", digests, found)
        from_shared = self._shared.get(left)
        left = _count("redis", left, from_shared)
        stored = scored_twins(left, self._seconds)
        _count("postgres", left, stored)
        for digest, twin in (from_shared | stored).items():
            self._local.put(digest, twin)
        return found | from_shared | stored

    def put(self, digest: bytes, twin: Twin) -> None:
        """Keep what the network said just now, of a picture without doubts; ``share`` it soon."""
        self._local.put(digest, twin)
        with self._lock:
            self._unshared[digest] = twin

    def share(self) -> None:
        """Let the other workers know what was put, in one trip to Redis."""
        with self._lock:
            twins, self._unshared = self._unshared, {}
        if twins:
            self._shared.put_all(twins)


def _count(layer: str, asked: Collection[bytes], found: Mapping[bytes, Twin]) -> list[bytes]:
    """Count a layer's hits and misses; returns what it did not have."""
    for digest in asked:
        metrics.cached(NAME, layer, hit=digest in found)
    return [digest for digest in asked if digest not in found]


def _encoded(twin: Twin) -> str:
    *numbers, pdq, quality, image_id = twin
    return json.dumps([time.time(), *numbers, bytes(pdq or b"").hex(), quality, str(image_id)])


def _decoded(text: bytes) -> tuple[float, Twin]:
    at, *numbers, pdq, quality, image_id = json.loads(text)
    return at, (*numbers, bytes.fromhex(pdq) or None, quality, UUID(image_id))
