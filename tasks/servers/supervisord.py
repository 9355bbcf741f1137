"""The supervisor, changed to keep running if its logs cannot be written. ``python -m``.

Unchanged, it reacts to a full disk with a traceback to another file on that disk and stops reading
the output of its processes. They then fail on a closed pipe, and it exits. Here the line is
dropped, and logging resumes when there is space.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from supervisor import loggers, supervisord


def ignore_log_errors() -> None:
    """Make the log handlers never raise."""
    loggers.Handler.handleError = _drop
    handler = loggers.RotatingFileHandler
    handler.doRollover = _tolerant(handler.doRollover)


def _drop(_: Any) -> None:
    """Drop the line that could not be written."""


def _tolerant(roll_over: Callable[[Any], None]) -> Callable[[Any], None]:
    def attempt(handler: Any) -> None:
        try:
            roll_over(handler)
        except (OSError, ValueError):
            with contextlib.suppress(OSError):  # the old file may be closed already
                handler.stream = open(handler.baseFilename, "ab")  # noqa: SIM115

    return attempt


if __name__ == "__main__":
    ignore_log_errors()
    supervisord.main()
