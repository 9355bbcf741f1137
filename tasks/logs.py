"""Log lines that nobody can forge: what a message holds from outside stays on its line."""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any

# Line ends of every kind, what a terminal obeys, and what turns the direction of text.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Line(logging.LogRecord):
    """A record whose message is one line; those of a traceback are set in behind a bar."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.exc_info:
            text = "".join(traceback.format_exception(*self.exc_info))
            self.exc_text = "\n".join(f"  | {harmless(line)}" for line in text.split("\n"))

    def getMessage(self) -> str:
        """The message with everything that would end or hide a line written out."""
        return harmless(super().getMessage())


def guard() -> None:
    """Make every logger of this process write such lines."""
    logging.setLogRecordFactory(Line)


def harmless(text: str) -> str:
    """The text with control characters as escapes: ``\\n``, ``\\x1b``."""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
