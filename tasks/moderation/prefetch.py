"""Prefetching: while many uploads wait, the next batch is claimed and loaded during inference.

Gain: without it the network was idle for 10 to 20 ms between two batches. With it one worker went
from 56 to 61 images a second, 0.89 of the bare network (docs/performance.md). While few wait
nothing is prefetched, because other workers are free to take them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from models.settings import per_process

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
