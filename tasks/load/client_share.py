"""A client's own share of the running server: its mode, and how long its uploads wait."""

from __future__ import annotations

import redis

from models.capacity import fair_share, mode
from models.capacity.fair_share import Flow
from models.clients.client import Client
from models.expiring_values import ExpiringValues
from models.settings import get_settings
from models.submissions.submission import PROCESSING, QUEUED, Submission
from tasks.load import snapshot
from tasks.queue.lane_storage import NORMAL, PRIORITY
from tasks.queue.lanes import QueuedJob, get_huey, place, rank_of

_values = ExpiringValues()


def flows() -> dict[str, list[Flow]]:
    """The flows that have jobs, by lane, at most 50 ms old; empty while Redis is down."""
    return _values.get_or("flows", 0.05, _read)


def _read() -> dict[str, list[Flow]]:
    try:
        return {lane: get_huey().storage.flows(lane) for lane in (PRIORITY, NORMAL)}
    except redis.RedisError:
        return {PRIORITY: [], NORMAL: []}


def mode_of(client: Client) -> str:
    """The mode of this client's next upload. It differs from the server's if others fill it."""
    overall: str = snapshot.current()["mode"]
    if overall not in (mode.ASYNC, mode.FAST_TRACK):
        return overall
    ahead = sum(
        fair_share.jobs_ahead(each, str(client.id), weight=client.weight)
        for each in flows().values()
    )
    return fair_share.mode_of(overall, ahead, snapshot.read().depth, get_settings())


def wait_of(client: Client, priority: str = NORMAL) -> float:
    """Seconds until an upload of this client is decided that is enqueued now."""
    return snapshot.estimated_wait(priority, _ahead(client, priority))


def remaining_wait(row: Submission) -> float:
    """Seconds until this submission is decided, by its own position in the queue.

    Its client's jobs behind it do not count, and of other clients' only those whose turn is
    earlier. A ``sync`` upload that was not decided in time is therefore nearer to its turn than the
    queue's depth says.
    """
    if row.status == PROCESSING:
        return snapshot.estimated_wait(row.priority, 0)
    job = QueuedJob(row.id, rank_of(row.priority, row.mode), row.client_id)
    try:
        before = place(job) if row.status == QUEUED else None
    except redis.RedisError:
        before = None
    if before is None:
        return snapshot.estimated_wait(row.priority)
    return snapshot.estimated_wait(row.priority, _ahead(row.client, row.priority, before))


def _ahead(client: Client, priority: str, before: int | None = None) -> int | None:
    """Jobs of the lane before this client's; None if the lane holds not all of them."""
    if snapshot.is_beyond_the_queue():
        return None
    lane = PRIORITY if priority == PRIORITY and get_settings().enable_queue_priority else NORMAL
    return fair_share.jobs_ahead(flows()[lane], str(client.id), before, client.weight)
