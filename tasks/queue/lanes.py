"""The queue: one Huey with two lanes in Redis, and the messages that go through it.

A job is only a wake-up, so a lost or a repeated job must be harmless and cheap. Hence the message
for a submission always has the same bytes, and adding one that is already queued changes nothing:
the sweep may add jobs without a check.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import Any
from uuid import UUID

import redis
from huey import Huey
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import RedisStorage

from models.database import connection
from models.settings import Settings, get_settings, per_process
from tasks.queue import redis_connection
from tasks.queue.redis_connection import connect

PRIORITY, NORMAL = "priority", "normal"
DEBT_RANK, NORMAL_RANK, SYNC_RANK, PAID_RANK = 0, 1, 2, 10
MODERATE, DETECT, DRAW, HEAT = (
    f"tasks.worker.{name}" for name in ("moderate", "detect", "draw", "heat")
)
DECIDED = "sluice:decided"  # the channel on which workers announce what they decided
FAIRNESS = 4  # every fourth job is taken from the normal lane first, so that it never starves
WAIT_WHILE_DOWN = 0.2  # seconds until a worker looks again whether Redis is back
SHARE = 4  # a batch takes at most one in this many of the queued jobs
TAKE_MORE = """
local most = math.min(tonumber(ARGV[2]), math.floor(redis.call('ZCARD', KEYS[1]) / ARGV[3]))
local taken = {}
if most < 1 then return taken end
for _, job in ipairs(redis.call('ZRANGE', KEYS[1], 0, most - 1)) do
    if not string.find(job, ARGV[1], 1, true) then break end
    taken[#taken + 1] = job
end
if #taken > 0 then redis.call('ZREM', KEYS[1], unpack(taken)) end
return taken
"""
log = logging.getLogger("sluice.queue")
_RANK_SPAN = 10**13  # above any time in ms: a score orders by rank, then by time


class JsonSerializer(Serializer):
    """Messages as JSON: readable, always the same bytes, and reading one executes no code."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps([data.id, data.name, data.priority, data.args, data.kwargs]).encode()

    def _deserialize(self, data: bytes) -> Message:
        task_id, name, priority, args, kwargs = json.loads(data)
        return Message(
            task_id,
            name,
            priority=priority,
            args=tuple(args),
            kwargs=kwargs,
            retries=0,
            retry_delay=0,
        )


class LaneStorage(RedisStorage):
    """Two sorted sets, ``priority`` and ``normal``; each is ordered by rank, then by age."""

    priority = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.keys = {lane: f"{self.queue_key}.{lane}" for lane in (PRIORITY, NORMAL)}
        self._lane: str | bytes = self.keys[NORMAL]
        self._take_more = self.conn.register_script(TAKE_MORE)
        self._order = self._orders(os.environ.get("SLUICE_LANES", "").split(","))

    def _orders(self, only: list[str]) -> Iterator[list[str]]:
        if only == [PRIORITY]:
            return cycle([[self.keys[PRIORITY]]])
        first, second = self.keys[PRIORITY], self.keys[NORMAL]
        return cycle([[first, second]] * (FAIRNESS - 1) + [[second, first]])

    def lane(self, rank: int) -> str:
        """The key of the lane for jobs of this rank."""
        return self.keys[PRIORITY if rank >= PAID_RANK else NORMAL]

    def enqueue(self, data: bytes, priority: int | None = None) -> None:
        rank = priority or 0
        self.conn.zadd(self.lane(rank), {data: _score(rank)}, nx=True)

    def dequeue(self) -> bytes | None:
        """The next job; None if none came in time.

        While Redis or PostgreSQL does not respond no job is taken: it could only fail.
        """
        if redis_connection.trouble() or connection.trouble():
            time.sleep(WAIT_WHILE_DOWN)
            return None
        popped: Any = self.conn.bzpopmin(next(self._order), timeout=self.read_timeout)
        if not popped:
            return None
        self._lane = popped[0]
        return popped[1]

    def take_more(self, task: str, most: int) -> list[bytes]:
        """Up to ``most`` further jobs of this task, from the lane that the last one came from.

        They are the next ones there, at most a quarter of the lane, so that other workers get some.
        """
        taken: list[bytes] = self._take_more(keys=[self._lane], args=[f'"{task}"', most, SHARE])
        return taken

    def take_next(self, task: str, most: int) -> list[bytes]:
        """The same from the lane whose turn it is; empty if it has fewer than `SHARE` jobs."""
        for lane in next(self._order):
            taken: list[bytes] = self._take_more(keys=[lane], args=[f'"{task}"', most, SHARE])
            if taken:
                return taken
        return []

    def queue_size(self) -> int:
        return sum(self.sizes().values())

    def sizes(self) -> dict[str, int]:
        """Queued jobs by lane, in one round trip."""
        pipe = self.conn.pipeline(transaction=False)
        for key in self.keys.values():
            pipe.zcard(key)
        return dict(zip(self.keys, pipe.execute(), strict=True))

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        stop = limit - 1 if limit else -1
        return [item for key in self.keys.values() for item in self.conn.zrange(key, 0, stop)]

    def flush_queue(self) -> None:
        self.conn.delete(*self.keys.values())


def _score(rank: int) -> float:
    return (100 - rank) * _RANK_SPAN + time.time_ns() // 1_000_000


def _make_huey(settings: Settings) -> Huey:
    return Huey(
        "sluice",
        results=False,
        storage_class=LaneStorage,
        serializer=JsonSerializer(),
        connection_pool=connect(settings, settings.redis_pool_max),
    )


get_huey = per_process(_make_huey)


def get_redis() -> redis.Redis:
    """This process's Redis client; it connects with the first command."""
    conn: redis.Redis = get_huey().storage.conn
    return conn


def rank_of(priority: str, mode: str, *, owed: bool = False) -> int:
    """The rank of a submission's job: paid before sync before async before review debt."""
    if owed:
        return DEBT_RANK
    paid = PAID_RANK if priority == PRIORITY and get_settings().enable_queue_priority else 0
    return paid + (SYNC_RANK if mode == "sync" else NORMAL_RANK)


def _message(submission_id: UUID, rank: int) -> bytes:
    job = str(submission_id)
    message = Message(job, MODERATE, priority=rank, args=(job,), kwargs={})
    data: bytes = get_huey().serializer.serialize(message)
    return data


def jobs_before(submission_id: UUID, rank: int) -> int | None:
    """How many jobs are before this one in its lane; None if it is not queued there.

    Raises redis.RedisError.
    """
    number: Any = get_redis().zrank(get_huey().storage.lane(rank), _message(submission_id, rank))
    return number


def enqueue_heat(ids: Iterable[UUID], *, awaited: bool) -> None:
    """Enqueue the heatmaps of these submissions: soon if ``awaited``, else after all other jobs.

    Enqueuing again adds nothing, as the message has the same bytes. Raises redis.RedisError.
    """
    rank = SYNC_RANK if awaited else DEBT_RANK
    pipe = get_redis().pipeline(transaction=False)
    for submission_id in ids:
        job = str(submission_id)
        message = Message(f"heat-{job}", HEAT, priority=rank, args=(job,), kwargs={})
        data = get_huey().serializer.serialize(message)
        pipe.zadd(get_huey().storage.lane(rank), {data: _score(rank)}, nx=True)
    pipe.execute()


def enqueue_drawing(submission_id: UUID) -> None:
    """Enqueue a submission's thumbnails, for a person who waits for them.

    Enqueuing again adds nothing. Raises redis.RedisError.
    """
    job = str(submission_id)
    message = Message(f"draw-{job}", DRAW, priority=SYNC_RANK, args=(job,), kwargs={})
    get_huey().storage.enqueue(get_huey().serializer.serialize(message), SYNC_RANK)


def batch(waiting: int) -> int:
    """How many jobs a worker takes at once if this many are queued in the lane."""
    return max(1, min(get_settings().worker_batch, waiting // SHARE))


def missing(jobs: Iterable[tuple[UUID, int]]) -> list[tuple[UUID, int]]:
    """The jobs that are not queued, in one round trip; raises redis.RedisError."""
    requested = list(jobs)
    pipe = get_redis().pipeline(transaction=False)
    for submission_id, rank in requested:
        pipe.zscore(get_huey().storage.lane(rank), _message(submission_id, rank))
    return [job for job, score in zip(requested, pipe.execute(), strict=True) if score is None]


def enqueue_missing(jobs: Iterable[tuple[UUID, int]]) -> list[UUID]:
    """Add the jobs that are not queued yet, in one round trip; returns the added ids."""
    requested = list(jobs)
    pipe = get_redis().pipeline(transaction=False)
    for submission_id, rank in requested:
        data = _message(submission_id, rank)
        pipe.zadd(get_huey().storage.lane(rank), {data: _score(rank)}, nx=True)
    added = pipe.execute()
    return [job[0] for job, new in zip(requested, added, strict=True) if new]


def announce_decided(ids: Iterable[UUID]) -> None:
    """Wake the requests that wait for these. They poll the row too, so a lost event is harmless."""
    pipe = get_redis().pipeline(transaction=False)
    for submission_id in ids:
        pipe.publish(DECIDED, str(submission_id))
    try:
        pipe.execute()
    except redis.RedisError as error:
        log.debug("decided event not sent: %s", error)
