"""The scripts' progress output: named steps with elapsed time, on a terminal or not.

It imports only the standard library, because it also runs before anything is installed, and alone
in the first layer of the container image.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

NAME_WIDTH = 12
NOT_RUNNING = 3  # exit code, as systemctl's
INTERRUPTED = 130  # the exit code after Ctrl-C, as shells have it
QUIET_SECONDS = 5.0  # between two notes if the output is no terminal


class Step:
    """One named step: ``with Step("packages") as step: step.note("Flask")``.

    On a terminal its line is rewritten ten times a second. Otherwise it prints a note every few
    seconds and one line at the end.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.started = time.monotonic()
        self._live = sys.stdout.isatty()
        self._done = threading.Event()
        self._last_note = self.started

    def note(self, text: str) -> None:
        """Show what the step is doing."""
        self.text = text
        if not self._live and time.monotonic() - self._last_note >= QUIET_SECONDS:
            self._last_note = time.monotonic()
            print(f"  {self.name:<{NAME_WIDTH}} {text} ({self._elapsed()})", flush=True)

    def __enter__(self) -> Step:
        if self._live:
            self._thread = threading.Thread(target=self._spin, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._live:
            self._thread.join()
            print("\r\033[K", end="")
        mark = "failed" if kind else self.text
        print(f"  {self.name:<{NAME_WIDTH}} {mark} ({self._elapsed()})", flush=True)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self.started:.1f} s"

    def _spin(self) -> None:
        marks = "|/-\\"
        turn = 0
        while not self._done.wait(0.1):
            turn += 1
            line = f"{marks[turn % 4]} {self.name:<{NAME_WIDTH}} {self.text} {self._elapsed()}"
            print(f"\r\033[K{line[:100]}", end="", flush=True)


def fail(message: str, code: int = 1) -> SystemExit:
    """One line on standard error and an exit code: ``raise fail("port 80 is in use")``."""
    print(message, file=sys.stderr, flush=True)
    return SystemExit(code)
