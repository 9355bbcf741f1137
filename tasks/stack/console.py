"""The scripts' progress output: named steps with elapsed time, on a terminal or not.

It uses only the standard library, because it also runs before anything is installed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from models.errors import SluiceError
from tasks.servers.supervisor_client import UNREACHABLE

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


@contextmanager
def one_line_errors(script: str, *expected: type[Exception]) -> Iterator[None]:
    """An expected error of the block ends the process: one line, and exit code 1.

    Expected are the domain's errors, an interruption (exit code 130), and the given types: OSError
    of files that a person named, or the database driver's errors.
    """
    try:
        yield
    except SluiceError as error:
        raise fail(f"{script}: {error.detail}") from error
    except OSError as error:
        if not isinstance(error, expected):
            raise
        file = f"{error.filename}: " if error.filename else ""
        raise fail(f"{script}: {file}{error.strerror or error}") from error
    except expected as error:
        raise fail(f"{script}: the database does not answer: {str(error).strip()}") from error
    except KeyboardInterrupt as interrupt:
        raise fail(f"{script}: interrupted", INTERRUPTED) from interrupt


@contextmanager
def needs_stack(script: str) -> Iterator[None]:
    """Where the supervisor does not answer in the block: one line, and exit code NOT_RUNNING."""
    try:
        yield
    except UNREACHABLE:
        raise fail(f"{script}: Sluice is not running: scripts/up starts it", NOT_RUNNING) from None


def fail(message: str, code: int = 1) -> SystemExit:
    """One line on standard error and an exit code: ``raise fail("port 80 is in use")``."""
    print(message, file=sys.stderr, flush=True)
    return SystemExit(code)
