"""Coalesces the work of concurrent requests: one round trip, commit or thread call for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
BATCH_SIZE = 100  # items per call of ``work``


@dataclass(eq=False, slots=True)
class _Ticket(Generic[T]):
    """The item of one request and its outcome."""

    item: T
    done: bool = False
    error: Exception | None = None


class Coalescer(Generic[T]):
    """The thread that holds the lock works for all that wait; a single one does not wait.

    ``work`` takes the items and writes the outcomes into them; if it raises, each of the callers
    raises that error. Safe because only the holder of ``_turn`` works, an item leaves ``_waiting``
    once, and ``do`` returns only after its item is done.
    """

    def __init__(self, work: Callable[[list[T]], None]) -> None:
        self._work = work
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._waiting: list[_Ticket[T]] = []

    def do(self, item: T) -> None:
        """Process the item, alone or in a batch; raises what ``work`` raised."""
        ticket = _Ticket(item)
        with self._guard:
            self._waiting.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._run_batch()
        if ticket.error is not None:
            raise ticket.error

    def _run_batch(self) -> None:
        """Run ``work`` for the waiting items and set the outcome of each, whatever happens."""
        with self._guard:
            tickets, self._waiting = self._waiting[:BATCH_SIZE], self._waiting[BATCH_SIZE:]
        try:
            self._work([ticket.item for ticket in tickets])
        except Exception as error:
            _finish(tickets, error)
        except BaseException:  # this request was killed; the others in its batch were not
            _finish(tickets, RuntimeError("The request that processed this batch was killed."))
            raise
        else:
            _finish(tickets, None)


def _finish(tickets: Iterable[_Ticket[T]], error: Exception | None) -> None:
    for ticket in tickets:
        ticket.error, ticket.done = error, True
