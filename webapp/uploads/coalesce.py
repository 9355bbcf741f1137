"""Work of requests that run at once is done in one go: one trip, one commit, one thread for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 100  # in one go


@dataclass(eq=False, slots=True)
class _Ticket(Generic[T]):
    """What one request brought, and what came of it."""

    item: T
    done: bool = False
    error: Exception | None = None


class Together(Generic[T]):
    """Whoever gets the turn works for all who came meanwhile; one that is alone waits for nobody.

    ``work`` takes what they brought and writes its outcomes into it; what it raises is raised by
    each of them. Safe because only the holder of ``_turn`` works, an item leaves ``_waiting`` once,
    and its owner comes back only after it is done.
    """

    def __init__(self, work: Callable[[list[T]], None]) -> None:
        self._work = work
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._waiting: list[_Ticket[T]] = []

    def do(self, item: T) -> None:
        """Have the work done for this; raises what it raised."""
        ticket = _Ticket(item)
        with self._guard:
            self._waiting.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._settle()
        if ticket.error is not None:
            raise ticket.error

    def _settle(self) -> None:
        """Work for those who wait, tell each what came of it, and let nothing escape."""
        with self._guard:
            tickets, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._work([ticket.item for ticket in tickets])
        except Exception as error:
            _tell(tickets, error)
        except BaseException:  # this request is ended by force, not those it works for
            _tell(tickets, RuntimeError("The request that worked for this one was ended."))
            raise
        else:
            _tell(tickets, None)


def _tell(tickets: Iterable[_Ticket[T]], error: Exception | None) -> None:
    for ticket in tickets:
        ticket.error, ticket.done = error, True
