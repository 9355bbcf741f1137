"""Log lines: one JSON object per line, with the ids of the request and the submission.

Outside text cannot forge a line: control characters in a message are escaped.
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

# Line ends of every kind, terminal escapes, characters that change the direction of text, and
# lone surrogates, which cannot be encoded.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
JSON, TEXT = "json", "text"
_about: ContextVar[dict[str, Any]] = ContextVar("about", default={})  # noqa: B039  (never changed)


class SafeRecord(logging.LogRecord):
    """A record whose message is one line; the lines of a traceback are indented behind a bar."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.about = _about.get()
        self.trace: list[str] = []
        if self.exc_info:
            text = "".join(traceback.format_exception(*self.exc_info))
            self.trace = [harmless(line) for line in text.rstrip("\n").split("\n")]
            self.exc_text = "\n".join(f"  | {line}" for line in self.trace)

    def getMessage(self) -> str:
        """The message with every character escaped that would end or hide a line."""
        return harmless(super().getMessage())


class Json(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, context ids, exception."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            "time": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        if getattr(record, "trace", None):
            fields["exception"] = "\n".join(record.trace)  # type: ignore[attr-defined]
        return json.dumps(fields, ensure_ascii=False, default=str)


def start(kind: str) -> None:
    """Log to standard error: our own lines from INFO on, libraries' lines from WARNING on."""
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
    """Make every logger of this process write safe lines."""
    logging.setLogRecordFactory(SafeRecord)


def begin(**about: Any) -> None:
    """Replace the context ids of this thread's, or greenlet's, log lines.

    ``request_id``, ``job_id``, ``client`` (its number); None is left out.
    """
    _about.set(_named(about))


def add(**about: Any) -> None:
    """Add context ids to the current ones."""
    _about.set({**_about.get(), **_named(about)})


def _named(about: dict[str, Any]) -> dict[str, Any]:
    return {
        name: harmless(value) if isinstance(value, str) else value
        for name, value in about.items()
        if value is not None
    }


def harmless(text: str) -> str:
    """The text with control characters as escapes: ``\\n``, ``\\x1b``."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def readable(line: str) -> str:
    """A line of a log file in a form for people; a line that is not our JSON is unchanged."""
    try:
        fields = json.loads(line)
        head = f"{fields['time'][11:19]} {fields['level'].upper()} {fields['message']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
    shown = ("client", "job_id", "request_id")
    about = " ".join(f"{name}={fields[name]}" for name in shown if name in fields)
    trace = [f"  | {each}" for each in fields.get("exception", "").split("\n") if each]
    return "\n".join([f"{head}  {about}".rstrip(), *trace])
