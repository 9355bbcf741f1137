"""Prefetching: while many uploads wait, the next batch is claimed and loaded during inference.

Gain: without it the network was idle for 10 to 20 ms between two batches. With it one worker went
from 56 to 61 images a second, 0.89 of the bare network (docs/performance.md). While few wait
nothing is prefetched, because other workers are free to take them.

What is urgent does not wait for the end of a batch: it is taken between two of its jobs. Urgent is
what somebody waits for, of a client that had less than its share. Without this, a quiet client's
upload would wait behind a batch and the prefetched one after it, about half a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar
from uuid import UUID

from models.settings import per_process
from tasks.moderation.job import Job

ASK_EVERY = 0.01  # seconds; a job takes longer, so most jobs are followed by one question
TakeUrgent = Callable[[set[str]], UUID | None]  # takes one that is not of these flows
T = TypeVar("T")
_thread = per_process(lambda _: ThreadPoolExecutor(1, thread_name_prefix="prefetch"))


class Prefetch(Generic[T]):
    """Makes the next object on a thread, up to ``times`` times."""

    def __init__(self, make: Callable[[], T], times: int) -> None:
        self._make, self._left = make, times
        self._coming: Future[T] | None = None

    def start(self) -> bool:
        """Start to make the next one; False if that was done ``times`` times."""
        if not self._left:
            return False
        self._left -= 1
        self._coming = _thread().submit(self._make)
        return True

    def result(self) -> T:
        """What was started; waits for it, and raises its error."""
        if self._coming is None:
            raise RuntimeError("nothing was started")
        coming, self._coming = self._coming, None
        return coming.result()


class Urgent:
    """Takes at most one urgent submission between two jobs."""

    def __init__(self, take: TakeUrgent) -> None:
        self._take = take
        self._asked = 0.0

    def next(self, jobs: Iterable[Job]) -> UUID | None:
        """An urgent submission of another client than these jobs; None if there is none."""
        now = time.monotonic()
        if now - self._asked < ASK_EVERY:
            return None
        self._asked = now
        return self._take({job.flow for job in jobs})
