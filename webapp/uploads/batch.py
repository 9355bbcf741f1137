"""Commits concurrent uploads as one batch.

A batch makes one round trip to Redis for the limits, one thread call for the files, one statement
and one commit for the rows, and one round trip for the jobs. Under load, the waiting uploads share
this cost; a single upload does not wait for others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import peewee
import redis

from models.database.connection import connection
from models.moderation import accept
from models.moderation.accept import Entry
from tasks.observability import tracing
from tasks.queue.lanes import QueuedJob, enqueue_missing
from tasks.storage import Upload
from webapp.http.offload import begin, offload
from webapp.limits import redis_windows
from webapp.limits.redis_windows import Count
from webapp.uploads.coalesce import Coalescer

log = logging.getLogger("sluice.taking")


@dataclass(eq=False, slots=True)
class Ticket:
    """An upload to commit; ``rank`` is the rank of its job, None for no job.

    ``uploads`` are the files to fsync, ``count`` what the limits count. Afterwards ``received_at``
    is the time of the row, None if it was not written, and ``spans`` holds the seconds of each
    part. Neither is set if ``count.refused``.
    """

    entry: Entry
    rank: int | None
    uploads: Sequence[Upload] = ()
    count: Count | None = None
    received_at: datetime | None = None
    error: Exception | None = None
    spans: dict[str, float] = field(default_factory=dict)

    @property
    def may_commit(self) -> bool:
        """Whether it has not failed and no limit refused it."""
        return self.error is None and not (self.count and self.count.refused)


def take(ticket: Ticket) -> None:
    """Count an upload, fsync its files, commit it and enqueue its job.

    Raises the error of Redis if it could not be counted, or the error of the disk or the database;
    then nothing was stored.
    """
    _batches.do(ticket)
    if ticket.error is not None:
        raise ticket.error


def keep(uploads: Sequence[Upload]) -> None:
    """Make the files of one request survive a power loss; raises OSError, StorageDown."""
    store = uploads[0].storage
    if store.blocks:
        offload(store.keep, uploads)
    else:
        store.keep(uploads)


def _take(tickets: list[Ticket]) -> None:
    """This order guarantees that no acknowledged upload is lost:

    1. the files are synced to disk, in a real thread, while Redis counts the limits;
    2. uploads that were not refused and did not fail are committed;
    3. only then their jobs are enqueued. If that fails, the sweep finds the rows.
    """
    kept = begin(_keep, tickets) if any(ticket.uploads for ticket in tickets) else None
    with _measured("limits", tickets):
        _count([ticket for ticket in tickets if ticket.count is not None])
    if kept is not None:
        with _measured("fsync", tickets):  # only the time after the limits were counted
            kept()
    ready = [ticket for ticket in tickets if ticket.may_commit]
    if ready:
        _commit(ready)
        _enqueue([ticket for ticket in ready if ticket.received_at and ticket.rank is not None])


@contextmanager
def _measured(name: str, tickets: list[Ticket]) -> Iterator[None]:
    started, at = time.perf_counter(), time.time_ns()
    yield
    for ticket in tickets:
        ticket.spans[name] = time.perf_counter() - started
    _record(name, tickets, at)


def _keep(tickets: list[Ticket]) -> None:
    """Sync all files at once; if that fails, one by one: each request gets its own error."""
    files = [upload for ticket in tickets for upload in ticket.uploads]
    try:
        files[0].storage.keep(files)
    except OSError:
        for ticket in tickets:
            _keep_alone(ticket)


def _keep_alone(ticket: Ticket) -> None:
    try:
        if ticket.uploads:
            ticket.uploads[0].storage.keep(ticket.uploads)
    except OSError as error:
        ticket.error = error


def _count(tickets: list[Ticket]) -> None:
    if not tickets:
        return
    try:
        redis_windows.count([ticket.count for ticket in tickets if ticket.count])
    except redis.RedisError as error:
        for ticket in tickets:
            ticket.error = error


def _commit(tickets: list[Ticket]) -> None:
    try:
        with connection():
            accepted = accept.accept([ticket.entry for ticket in tickets])
    except (peewee.DataError, peewee.IntegrityError) as error:
        if len(tickets) == 1:
            tickets[0].error = error
            return
        for ticket in tickets:  # one of them is invalid; the others must still be committed
            _commit([ticket])
    except Exception as error:
        for ticket in tickets:
            ticket.error = error
    else:
        for ticket in tickets:
            ticket.received_at = accepted.get(ticket.entry.id)


def _enqueue(tickets: list[Ticket]) -> None:
    """Enqueue the jobs; if Redis is down, the workers or the sweep find the rows."""
    if not tickets:
        return
    started = time.time_ns()
    try:
        enqueue_missing(_job(ticket.entry, ticket.rank or 0) for ticket in tickets)
    except redis.RedisError as error:
        log.warning("%d jobs not enqueued, the sweep will enqueue them: %s", len(tickets), error)
        return
    _record("enqueue", tickets, started)


def _job(entry: Entry, rank: int) -> QueuedJob:
    return QueuedJob(entry.id, rank, entry.client.id, entry.client.weight)


def _record(name: str, tickets: list[Ticket], started: int) -> None:
    """Record a span in the trace of each ticket."""
    if tracing.active():
        for ticket in tickets:
            tracing.record(name, ticket.entry.values["traceparent"], started)


_batches = Coalescer(_take)
