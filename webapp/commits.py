"""Group commit: uploads that arrive together are one statement, one commit, one trip to Redis.

Under load the cost of a transaction is shared by all that wait; an upload that is alone waits for
nobody.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import peewee
import redis

from models import intake
from models.db import connection
from models.intake import Entry
from tasks import tracing
from tasks.queue import enqueue_missing
from webapp.together import Together

log = logging.getLogger("sluice.commits")


@dataclass(eq=False, slots=True)
class Ticket:
    """An upload on its way through the commit; ``rank`` is its job's, None for no job."""

    entry: Entry
    rank: int | None
    accepted: bool = False
    error: Exception | None = None


def commit(entry: Entry, rank: int | None) -> bool:
    """Commit an upload and enqueue its job; False where its idempotency key was taken.

    Raises what the database raised; then nothing of the upload was written.
    """
    ticket = Ticket(entry, rank)
    _commits.do(ticket)
    if ticket.error is not None:
        raise ticket.error
    return ticket.accepted


def _commit(tickets: list[Ticket]) -> None:
    try:
        with connection():
            accepted = intake.accept([ticket.entry for ticket in tickets])
    except (peewee.DataError, peewee.IntegrityError) as error:
        if len(tickets) == 1:
            tickets[0].error = error
            return
        for ticket in tickets:  # one of them is to blame; the others must not suffer for it
            _alone(ticket)
        return
    for ticket in tickets:
        ticket.accepted = ticket.entry.id in accepted
    _enqueue([ticket for ticket in tickets if ticket.accepted and ticket.rank is not None])


def _alone(ticket: Ticket) -> None:
    try:
        _commit([ticket])
    except Exception as error:
        ticket.error = error


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
    if tracing.active():
        for ticket in tickets:
            tracing.record("enqueue", ticket.entry.values["traceparent"], started)


_commits = Together(_commit)
