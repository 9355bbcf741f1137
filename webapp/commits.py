"""Group commit: uploads that arrive together are one statement, one commit, one trip to Redis.

Under load the cost of a transaction is shared by all that wait; an upload that is alone waits for
nobody.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import peewee
import redis

from models import intake
from models.db import connection
from models.intake import Entry
from tasks.queue import enqueue_missing

MOST = 100  # uploads in one statement
log = logging.getLogger("sluice.commits")


@dataclass(eq=False)
class Ticket:
    """An upload on its way through the commit; ``rank`` is its job's, None for no job."""

    entry: Entry
    rank: int | None
    done: threading.Event = field(default_factory=threading.Event)
    accepted: bool = False
    error: Exception | None = None


class Committer:
    """Commits what the requests of this process bring, in one thread of its own."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Ticket] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def commit(self, entry: Entry, rank: int | None) -> bool:
        """Commit an upload and enqueue its job; False where its idempotency key was taken.

        Raises what the database raised; then nothing of the upload was written.
        """
        ticket = Ticket(entry, rank)
        self._start()
        self._waiting.put(ticket)
        ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return ticket.accepted

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="commits", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            tickets = [self._waiting.get()]
            while len(tickets) < MOST:
                try:
                    tickets.append(self._waiting.get_nowait())
                except Empty:
                    break
            _settle(tickets)


def _settle(tickets: list[Ticket]) -> None:
    """Commit these, tell each what came of it, and let nothing escape."""
    try:
        _commit(tickets)
    except Exception as error:
        for ticket in tickets:
            ticket.error = error
    for ticket in tickets:
        ticket.done.set()


def _commit(tickets: list[Ticket]) -> None:
    try:
        with connection():
            accepted = intake.accept([ticket.entry for ticket in tickets])
    except (peewee.DataError, peewee.IntegrityError):
        if len(tickets) == 1:
            raise
        for ticket in tickets:  # one of them is to blame; the others must not suffer for it
            _settle([ticket])
        return
    for ticket in tickets:
        ticket.accepted = ticket.entry.id in accepted
    _enqueue([ticket for ticket in tickets if ticket.accepted and ticket.rank is not None])


def _enqueue(tickets: list[Ticket]) -> None:
    """Wake the workers; where Redis is away, they or the sweep find the rows."""
    if not tickets:
        return
    try:
        enqueue_missing([(ticket.entry.id, ticket.rank or 0) for ticket in tickets])
    except redis.RedisError as error:
        log.warning("%d submissions are left to the sweep: %s", len(tickets), error)


committer = Committer()
