"""Log lines: one JSON object a line, with the request and the submission that it speaks of.

Nobody outside can forge one: what a message holds from outside stays on its line.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# Line ends of every kind, what a terminal obeys, what turns the direction of text, and halves of
# characters, which no file takes.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
JSON, TEXT = "json", "text"
_about: ContextVar[dict[str, Any]] = ContextVar("about", default={})  # noqa: B039  (never changed)


class Line(logging.LogRecord):
    """A record whose message is one line; those of a traceback are set in behind a bar."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.about = _about.get()
        self.trace: list[str] = []
        if self.exc_info:
            text = "".join(traceback.format_exception(*self.exc_info))
            self.trace = [harmless(line) for line in text.rstrip("\n").split("\n")]
            self.exc_text = "\n".join(f"  | {line}" for line in self.trace)

    def getMessage(self) -> str:
        """The message with everything that would end or hide a line written out."""
        return harmless(super().getMessage())


class Json(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, what it is about, exception."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {
            "time": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        if getattr(record, "trace", None):
            told["exception"] = "\n".join(record.trace)  # type: ignore[attr-defined]
        return json.dumps(told, ensure_ascii=False, default=str)


def start(kind: str) -> None:
    """Write this process's lines to standard error: ours from INFO on, libraries' warnings."""
    guard()
    formats: dict[str, dict[str, Any]] = {
        JSON: {"()": Json},
        TEXT: {"format": "%(asctime)s %(levelname)s %(message)s"},
    }
    theirs = {"handlers": [], "propagate": True}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formats[kind]},
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": "WARNING", "handlers": ["out"]},
            "loggers": {
                "sluice": {"level": "INFO"},
                "gunicorn.error": {"level": "INFO", **theirs},
                "huey": {"level": "WARNING", **theirs},
            },
        }
    )


def guard() -> None:
    """Make every logger of this process write lines that cannot be forged."""
    logging.setLogRecordFactory(Line)


def begin(**about: Any) -> None:
    """The lines of this thread, or greenlet, are about this alone from now on.

    ``request_id``, ``job_id``, ``client`` (its number); what is None is left out.
    """
    _about.set(_named(about))


def add(**about: Any) -> None:
    """They are about this, too."""
    _about.set({**_about.get(), **_named(about)})


def _named(about: dict[str, Any]) -> dict[str, Any]:
    return {
        name: harmless(value) if isinstance(value, str) else value
        for name, value in about.items()
        if value is not None
    }


def harmless(text: str) -> str:
    """The text with control characters as escapes: ``\\n``, ``\\x1b``."""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def readable(line: str) -> str:
    """A line of a log file as a person reads it; what is no object of ours stays as it is."""
    try:
        told = json.loads(line)
        head = f"{told['time'][11:19]} {told['level'].upper()} {told['message']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
    shown = ("client", "job_id", "request_id")
    about = " ".join(f"{name}={told[name]}" for name in shown if name in told)
    trace = [f"  | {each}" for each in told.get("exception", "").split("\n") if each]
    return "\n".join([f"{head}  {about}".rstrip(), *trace])
