"""The domain's named errors; ``webapp/http/errors.py`` maps each to an HTTP status and body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def readable_size(size: int) -> str:
    """A number of bytes as a person reads it: ``64 KB``, ``10.5 MB``."""
    for unit, one in (("MB", 1024 * 1024), ("KB", 1024)):
        if size >= one:
            return f"{size / one:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{size:,} bytes"


class SluiceError(Exception):
    """An expected failure. ``code`` is stable; the message is a sentence for a person."""

    code = "internal"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class SettingError(SluiceError):
    """An invalid setting; the process does not start."""

    code = "internal"


class Invalid(SluiceError):
    """A value that the contract does not allow; ``field`` names it."""

    code = "invalid"


class Malformed(SluiceError):
    """A request body that cannot be parsed."""

    code = "malformed"


class Unauthorised(SluiceError):
    """No API key, or an invalid one."""

    code = "unauthorised"


class Forbidden(SluiceError):
    """Signed in or authenticated, but not allowed to do this."""

    code = "forbidden"


class NotFound(SluiceError):
    """It does not exist, or belongs to another client."""

    code = "not_found"


class Conflict(SluiceError):
    """It has changed since, or an idempotency key was reused with different content."""

    code = "conflict"


class TooLarge(SluiceError):
    """More bytes, files or pixels than allowed."""

    code = "too_large"


class Unsupported(SluiceError):
    """An unsupported file type."""

    code = "unsupported"


class TooMany(SluiceError):
    """A rate limit is exceeded; retry after ``retry_after`` seconds.

    ``headers`` describe the limit; ``more`` is added to the problem document.
    """

    code = "too_many"

    def __init__(
        self,
        detail: str,
        *,
        retry_after: int,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail, field=field)
        self.retry_after = retry_after
        self.headers = headers or {}
        self.more = more or {}


class Unavailable(SluiceError):
    """A dependency is down or resources are short; retry after ``retry_after`` seconds."""

    code = "unavailable"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
