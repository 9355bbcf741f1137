"""The line of uploads: a process works on some at once, the others wait for their turn in order.

Where hundreds are taken in at once, each has its share of the processor and all of them are late:
the first is answered with the last. They would also choose their mode by a queue in which none of
the others stands yet. Status, health and the console do not stand in this line.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import Unavailable

PLACES = 32  # uploads at once: enough for the processor while some wait for the disk or a server
PATIENCE = 20.0  # seconds in the line, after which the upload is better sent again


class Line:
    """So many places; who leaves one hands it to whoever waits longest.

    Safe because all that is counted is changed under ``_guard``. A place is handed over and not
    freed, so nobody who comes just then takes it; whoever gives up waiting leaves the line, or
    hands on the place that came at that moment.
    """

    def __init__(self, places: int = PLACES, patience: float = PATIENCE) -> None:
        self.free, self._patience = places, patience
        self._guard = threading.Lock()
        self._waiting: OrderedDict[int, threading.Event] = OrderedDict()
        self._number = 0

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the block; raises Unavailable where none came in time."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._guard:
            if self.free:
                self.free -= 1
                return
            self._number += 1
            number, turn = self._number, threading.Event()
            self._waiting[number] = turn
        came = False
        try:
            came = turn.wait(self._patience)
        finally:
            if not came:
                self._give_up(number)
        if not came:
            raise Unavailable("More uploads wait than can be taken in.", retry_after=5)

    def _give_up(self, number: int) -> None:
        with self._guard:
            handed = self._waiting.pop(number, None) is None
        if handed:
            self._leave()

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popitem(last=False)[1].set()
            else:
                self.free += 1
