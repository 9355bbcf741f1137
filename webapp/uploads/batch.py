"""Uploads that arrive together are taken in together.

Their limits are one trip to Redis, their files one thread's work, their rows one statement and one
commit, their jobs one trip again. Under load all of that is shared by those who wait; an upload
that is alone waits for nobody.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import peewee
import redis

from models.database.connection import connection
from models.moderation import accept
from models.moderation.accept import Entry
from tasks.observability import tracing
from tasks.queue.lanes import enqueue_missing
from tasks.storage import Upload
from webapp.http.offload import begin, offload
from webapp.limits import redis_windows
from webapp.limits.redis_windows import Count
from webapp.uploads.coalesce import Together

log = logging.getLogger("sluice.taking")


@dataclass(eq=False, slots=True)
class Ticket:
    """An upload on its way in; ``rank`` is its job's, None for no job.

    ``uploads`` are its files that are to be put onto the disk, ``count`` what its limits count.
    Afterwards ``accepted`` tells whether its row was written, and ``spans`` the seconds of the
    parts. Neither where ``count.refused``.
    """

    entry: Entry
    rank: int | None
    uploads: Sequence[Upload] = ()
    count: Count | None = None
    accepted: bool = False
    error: Exception | None = None
    spans: dict[str, float] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether nothing is in its way so far."""
        return self.error is None and not (self.count and self.count.refused)


def take(ticket: Ticket) -> None:
    """Count an upload, keep its files, commit it and enqueue its job.

    Raises what Redis raised where it could not be counted, and what the disk or the database
    raised; then nothing of it was written.
    """
    _taking.do(ticket)
    if ticket.error is not None:
        raise ticket.error


def keep(uploads: Sequence[Upload]) -> None:
    """Have the files of one request outlive a power cut; raises OSError, StorageDown."""
    store = uploads[0].storage
    if store.blocks:
        offload(store.keep, uploads)
    else:
        store.keep(uploads)


def _take(tickets: list[Ticket]) -> None:
    """The order is what keeps the promise that nothing acknowledged is lost:

    1. the files are put onto the disk, in a real thread, while Redis counts the limits;
    2. what was neither refused nor failed is committed;
    3. and only then its jobs are enqueued. One that cannot be is found by the sweep.
    """
    kept = begin(_keep, tickets) if any(ticket.uploads for ticket in tickets) else None
    with _measured("limits", tickets):
        _count([ticket for ticket in tickets if ticket.count is not None])
    if kept is not None:
        with _measured("fsync", tickets):  # what is left of it
            kept()
    going = [ticket for ticket in tickets if ticket.goes_on]
    if going:
        _commit(going)
        _enqueue([ticket for ticket in going if ticket.accepted and ticket.rank is not None])


@contextmanager
def _measured(name: str, tickets: list[Ticket]) -> Iterator[None]:
    started, at = time.perf_counter(), time.time_ns()
    yield
    for ticket in tickets:
        ticket.spans[name] = time.perf_counter() - started
    _record(name, tickets, at)


def _keep(tickets: list[Ticket]) -> None:
    """All in one go; where that fails, one by one, so that each request bears its own error."""
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
        for ticket in tickets:  # one of them is to blame; the others must not suffer for it
            _commit([ticket])
    except Exception as error:
        for ticket in tickets:
            ticket.error = error
    else:
        for ticket in tickets:
            ticket.accepted = ticket.entry.id in accepted


def _enqueue(tickets: list[Ticket]) -> None:
    """Wake the workers; where Redis is away, they or the sweep find the rows."""
    if not tickets:
        return
    started = time.time_ns()
    try:
        enqueue_missing([(ticket.entry.id, ticket.rank or 0) for ticket in tickets])
    except redis.RedisError as error:
        log.warning("%d submissions are left to the sweep: %s", len(tickets), error)
        return
    _record("enqueue", tickets, started)


def _record(name: str, tickets: list[Ticket], started: int) -> None:
    """A span of each trace that is one of the tickets'."""
    if tracing.active():
        for ticket in tickets:
            tracing.record(name, ticket.entry.values["traceparent"], started)


_taking = Together(_take)
