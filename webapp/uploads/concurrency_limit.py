"""Limits concurrent requests per process, and shares the slots fairly between their owners.

If hundreds of uploads run at once, they share the processor and all of them finish late. They
would also choose their mode by a queue depth that does not include the others yet. So a client that
keeps many connections busy gets few slots while another one sends too. Status, health and the
console are not limited.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager

from models.clients.client import Client
from models.database.connection import release
from models.errors import Unavailable
from webapp.http.timing import measured

SLOTS = 32  # concurrent uploads: keeps the processor busy while some wait for disk or servers
SHARED = 3  # slots of one owner while another one is active, times its weight
ACTIVE = 10.0  # seconds after its last request for which an owner is active
TIMEOUT = 20.0  # seconds to wait for a slot; after that the client should retry


class ConcurrencyLimit:
    """A number of slots. A released one goes to the waiting owner that holds the fewest.

    Among an owner's requests it goes to the one that has waited longest. An owner gets all slots
    while it is the only active one, else ``shared`` times its weight.

    Safe because:

    1. the counters change only under ``_guard``;
    2. a slot is handed over and not freed, so a request that arrives now cannot take it;
    3. a request that times out leaves the queue, or passes on the slot that it has just got;
    4. an owner with a waiting request below its share finds no free slot, so some request holds
       one, whose release hands it on.
    """

    def __init__(
        self,
        slots: int = SLOTS,
        timeout: float = TIMEOUT,
        *,
        shared: int = SHARED,
        clock: Callable[[], float] = time.monotonic,
        most_waiting: int | None = None,
        detail: str = "Too many uploads at once. Try again.",
    ) -> None:
        self.free, self._slots, self._timeout = slots, slots, timeout
        self._shared, self._clock = shared, clock
        self._most_waiting, self._detail = most_waiting, detail
        self._guard = threading.Lock()
        self._waiting: dict[Hashable, OrderedDict[int, threading.Event]] = {}
        self._held: Counter[Hashable] = Counter()
        self._active: dict[Hashable, tuple[float, int]] = {}  # until when, and the weight
        self._number = 0

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        return sum(len(turns) for turns in self._waiting.values())

    @contextmanager
    def slot(self, owner: Hashable = None, weight: int = 1) -> Iterator[None]:
        """Hold a slot for the block; raises Unavailable if none is free in time.

        If ``most_waiting`` requests wait already, it raises at once.
        """
        self._acquire(owner, weight)
        try:
            yield
        finally:
            self._release(owner)

    def _acquire(self, owner: Hashable, weight: int) -> None:
        with self._guard:
            self._note(owner, weight)
            if owner not in self._waiting and self._may_have_one(owner):
                self._give(owner)
                return
            if self._most_waiting is not None and self.waiting >= self._most_waiting:
                raise self._refusal()
            self._number += 1
            number, turn = self._number, threading.Event()
            self._waiting.setdefault(owner, OrderedDict())[number] = turn
            self._hand_out()  # the owner's share has grown if the others are gone
        acquired = False
        try:
            acquired = turn.wait(self._timeout)
        finally:
            if not acquired:
                self._cancel(owner, number)
        if not acquired:
            raise self._refusal()

    def _refusal(self) -> Unavailable:
        return Unavailable(self._detail, retry_after=5)

    def _note(self, owner: Hashable, weight: int) -> None:
        """Note that an owner is active, and forget those that no longer are."""
        now = self._clock()
        if owner not in self._active:
            self._active = {o: entry for o, entry in self._active.items() if entry[0] > now}
        self._active[owner] = now + ACTIVE, weight

    def _may_have_one(self, owner: Hashable) -> bool:
        return self.free > 0 and self._held[owner] < self._share_of(owner)

    def _share_of(self, owner: Hashable) -> int:
        now = self._clock()
        if any(until > now for other, (until, _) in self._active.items() if other != owner):
            return self._shared * self._weight_of(owner)
        return self._slots

    def _weight_of(self, owner: Hashable) -> int:
        return self._active[owner][1] if owner in self._active else 1

    def _give(self, owner: Hashable) -> None:
        self.free -= 1
        self._held[owner] += 1

    def _hand_out(self) -> None:
        """Give free slots to those that wait and may have one."""
        while able := [owner for owner in self._waiting if self._may_have_one(owner)]:
            owner = min(able, key=lambda each: self._held[each] / self._weight_of(each))
            _, turn = self._waiting[owner].popitem(last=False)
            if not self._waiting[owner]:
                del self._waiting[owner]
            self._give(owner)
            turn.set()

    def _cancel(self, owner: Hashable, number: int) -> None:
        with self._guard:
            turns = self._waiting.get(owner, OrderedDict())
            handed = turns.pop(number, None) is None
            if not turns:
                self._waiting.pop(owner, None)
        if handed:
            self._release(owner)

    def _release(self, owner: Hashable) -> None:
        with self._guard:
            self.free += 1
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]
            self._hand_out()


_upload_slots = ConcurrencyLimit()


@contextmanager
def upload_slot(client: Client) -> Iterator[None]:
    """Hold an upload slot for the block; the timing ``line`` is the wait for it.

    A waiting request holds no database connection: the running ones need them. Raises Unavailable.
    """
    release()
    with ExitStack() as held:
        with measured("line"):
            held.enter_context(_upload_slots.slot(client.id, client.weight))
        yield
