"""The queue: one Huey with two lanes in Redis, and the messages that go through it.

A job is only a wake-up, so a lost or a repeated job must be harmless and cheap. Hence the message
for a submission always has the same bytes, and adding one that is already queued changes nothing:
the sweep may add jobs without a check.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import redis
from huey import Huey
from huey.registry import Message
from huey.serializer import Serializer

from models.settings import Settings, get_settings, per_process
from tasks.queue import fair_order
from tasks.queue.lane_storage import (
    DEBT_RANK,
    NORMAL_RANK,
    PAID_RANK,
    PRIORITY,
    SHARE,
    SYNC_RANK,
    LaneStorage,
)
from tasks.queue.redis_connection import connect

MODERATE, DETECT, DRAW, HEAT = (
    f"tasks.worker.{name}" for name in ("moderate", "detect", "draw", "heat")
)
DECIDED = "sluice:decided"  # the channel on which workers announce what they decided
log = logging.getLogger("sluice.queue")


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


class QueuedJob(NamedTuple):
    """A submission's job: its rank, its client, and the client's weight."""

    id: UUID
    rank: int
    client_id: int
    weight: int = 1

    @property
    def flow(self) -> str:
        """The flow whose turn the job takes: its client's, or the review debt's."""
        return flow_of(self.rank, self.client_id)


def flow_of(rank: int, client_id: int) -> str:
    """The flow of a client's job; the review debt of all clients is one flow."""
    return fair_order.DEBT if rank == DEBT_RANK else str(client_id)


def _make_huey(settings: Settings) -> Huey:
    return Huey(
        "sluice",
        results=False,
        storage_class=LaneStorage,
        serializer=JsonSerializer(),
        debt_share=settings.review_debt_share / 100,
        connection_pool=connect(settings, settings.redis_pool_max),
    )


get_huey = per_process(_make_huey)


def get_redis() -> redis.Redis:
    """This process's Redis client; it connects with the first command."""
    conn: redis.Redis = get_huey().storage.conn
    return conn


def rank_of(priority: str, mode: str, *, owed: bool = False) -> int:
    """The rank of a submission's job.

    Paid ones have a lane of their own. In a lane, a client's sync jobs come before its async ones;
    `fair_order` shares the lane between clients and the review debt.
    """
    if owed:
        return DEBT_RANK
    paid = PAID_RANK if priority == PRIORITY and get_settings().enable_queue_priority else 0
    return paid + (SYNC_RANK if mode == "sync" else NORMAL_RANK)


def _message(submission_id: UUID, rank: int) -> bytes:
    job = str(submission_id)
    message = Message(job, MODERATE, priority=rank, args=(job,), kwargs={})
    data: bytes = get_huey().serializer.serialize(message)
    return data


def place(job: QueuedJob) -> int | None:
    """How many jobs of its own client are before this one; None if it is not queued.

    Raises redis.RedisError.
    """
    storage: LaneStorage = get_huey().storage
    return storage.place(_message(job.id, job.rank), job.rank, job.flow)


def enqueue_heat(ids: Iterable[UUID], *, awaited: bool) -> None:
    """Enqueue the heatmaps of these submissions: soon if ``awaited``, else after all other jobs.

    Enqueuing again adds nothing, as the message has the same bytes. Raises redis.RedisError.
    """
    rank = SYNC_RANK if awaited else DEBT_RANK
    flow = fair_order.CONSOLE if awaited else fair_order.DEBT
    jobs = []
    for submission_id in ids:
        job = str(submission_id)
        message = Message(f"heat-{job}", HEAT, priority=rank, args=(job,), kwargs={})
        data = get_huey().serializer.serialize(message)
        jobs.append((data, rank, flow, fair_order.CONSOLE_WEIGHT))
    get_huey().storage.add(jobs)


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


def missing(jobs: Iterable[QueuedJob]) -> list[QueuedJob]:
    """The jobs that are not queued, in one round trip; raises redis.RedisError."""
    requested = list(jobs)
    pipe = get_redis().pipeline(transaction=False)
    for job in requested:
        pipe.zscore(get_huey().storage.lane(job.rank), _message(job.id, job.rank))
    return [job for job, score in zip(requested, pipe.execute(), strict=True) if score is None]


def enqueue_missing(jobs: Iterable[QueuedJob]) -> list[UUID]:
    """Add the jobs that are not queued yet, in one round trip; returns the added ids."""
    requested = list(jobs)
    added = get_huey().storage.add(
        (_message(job.id, job.rank), job.rank, job.flow, job.weight) for job in requested
    )
    return [job.id for job, new in zip(requested, added, strict=True) if new]


def announce_decided(ids: Iterable[UUID]) -> None:
    """Wake the requests that wait for these. They poll the row too, so a lost event is harmless."""
    pipe = get_redis().pipeline(transaction=False)
    for submission_id in ids:
        pipe.publish(DECIDED, str(submission_id))
    try:
        pipe.execute()
    except redis.RedisError as error:
        log.debug("decided event not sent: %s", error)
