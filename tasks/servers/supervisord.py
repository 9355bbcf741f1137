"""The supervisor, that lives on where its logs cannot be written. ``python -m``, like its own.

As shipped it answers a log on a full disk with a traceback to another file on that disk, gives up
reading what its processes print, which then break on a closed pipe, and ends in time. Here the line
is dropped, and logging goes on when there is room again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from supervisor import loggers, supervisord


def endure() -> None:
    """Let no handler of a log raise."""
    loggers.Handler.handleError = _drop
    handler = loggers.RotatingFileHandler
    handler.doRollover = _enduring(handler.doRollover)


def _drop(_: Any) -> None:
    """What could not be written is lost."""


def _enduring(roll_over: Callable[[Any], None]) -> Callable[[Any], None]:
    def attempt(handler: Any) -> None:
        try:
            roll_over(handler)
        except (OSError, ValueError):
            with contextlib.suppress(OSError):  # half way the old file may be closed already
                handler.stream = open(handler.baseFilename, "ab")  # noqa: SIM115

    return attempt


if __name__ == "__main__":
    endure()
    supervisord.main()
