"""One thread for one detector, so that a caller waits no longer than its deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from tasks.detectors.base import DetectorLate


class _Call:
    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.ended = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.abandoned = False

    def run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:  # re-raised in the caller; the thread must go on
            self.error = error
        self.ended.set()


class Lane:
    """Runs calls one after another on a daemon thread, which starts with the first call.

    Python cannot end a thread. A call that misses its deadline therefore keeps the thread until it
    returns, and until then every further call fails at once: one stuck detector costs one thread.
    The thread is a daemon so that it cannot keep the process from ending. Native code that holds
    the interpreter's lock would still hold the caller; none of the built-in detectors does.

    Safe with threads: 1. the queue orders the calls; 2. a call belongs to its caller and to the
    thread, and its event is set after its result; 3. a caller that gives up only sets a mark. A
    marked call that has not begun is dropped.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._running: _Call | None = None

    @property
    def stuck(self) -> bool:
        """Whether a call that nobody waits for any more is still running."""
        running = self._running
        return running is not None and running.abandoned

    def call(self, work: Callable[[], Any], seconds: float) -> Any:
        """The result of ``work``, or its error; raises `DetectorLate` after ``seconds``."""
        if self.stuck:
            raise DetectorLate(f"{self._name} has not ended an earlier call.")
        self._start()
        call = _Call(work)
        self._calls.put(call)
        ended = False
        try:
            ended = call.ended.wait(seconds)
        finally:  # a signal may end the wait too
            call.abandoned = not ended
        if not ended:
            raise DetectorLate(f"{self._name} did not answer within {seconds:g} s.")
        if call.error is not None:
            raise call.error
        return call.result

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name=f"detector {self._name}", daemon=True
                )
                self._thread.start()

    def _serve(self) -> None:
        while True:
            call = self._calls.get()
            if not call.abandoned:
                self._running = call
                call.run()
                self._running = None
            del call  # its subject and result are not kept until the next call
