"""Limits concurrent uploads per process; the others wait in order of arrival (FIFO).

If hundreds of uploads run at once, they share the processor and all of them finish late. They
would also choose their mode by a queue depth that does not include the others yet. Status, health
and the console are not limited.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import Unavailable

SLOTS = 32  # concurrent uploads: keeps the processor busy while some wait for disk or servers
TIMEOUT = 20.0  # seconds to wait for a slot; after that the client should retry


class ConcurrencyLimit:
    """A number of slots; a released slot goes to the request that has waited longest.

    Safe because:

    1. the counters change only under ``_guard``;
    2. a slot is handed over and not freed, so a request that arrives now cannot take it;
    3. a request that times out leaves the queue, or passes on the slot that it has just got.
    """

    def __init__(
        self,
        slots: int = SLOTS,
        timeout: float = TIMEOUT,
        *,
        most_waiting: int | None = None,
        detail: str = "Too many uploads at once. Try again.",
    ) -> None:
        self.free, self._timeout = slots, timeout
        self._most_waiting, self._detail = most_waiting, detail
        self._guard = threading.Lock()
        self._waiting: OrderedDict[int, threading.Event] = OrderedDict()
        self._number = 0

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        return len(self._waiting)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot for the block; raises Unavailable if none is free in time.

        If ``most_waiting`` requests wait already, it raises at once.
        """
        self._acquire()
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> None:
        with self._guard:
            if self.free:
                self.free -= 1
                return
            if self._most_waiting is not None and self.waiting >= self._most_waiting:
                raise self._refusal()
            self._number += 1
            number, turn = self._number, threading.Event()
            self._waiting[number] = turn
        acquired = False
        try:
            acquired = turn.wait(self._timeout)
        finally:
            if not acquired:
                self._cancel(number)
        if not acquired:
            raise self._refusal()

    def _refusal(self) -> Unavailable:
        return Unavailable(self._detail, retry_after=5)

    def _cancel(self, number: int) -> None:
        with self._guard:
            handed = self._waiting.pop(number, None) is None
        if handed:
            self._release()

    def _release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popitem(last=False)[1].set()
            else:
                self.free += 1
