"""The domain's named errors; one boundary of ``webapp`` gives each its HTTP status and shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SluiceError(Exception):
    """An expected failure. ``code`` is stable; the message is a sentence for a person."""

    code = "internal"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class SettingError(SluiceError):
    """A setting that cannot be used; start-up ends with it."""

    code = "internal"


class Invalid(SluiceError):
    """A value that breaks a rule of the contract; ``field`` is to blame."""

    code = "invalid"


class Malformed(SluiceError):
    """A body that cannot be read at all."""

    code = "malformed"


class Unauthorised(SluiceError):
    """No key, or one that is not valid."""

    code = "unauthorised"


class Forbidden(SluiceError):
    """Known, but not allowed to do this."""

    code = "forbidden"


class NotFound(SluiceError):
    """No such thing, or not this client's."""

    code = "not_found"


class Conflict(SluiceError):
    """The thing has changed, or the same key came with other content."""

    code = "conflict"


class TooLarge(SluiceError):
    """More bytes, files or pixels than allowed."""

    code = "too_large"


class Unsupported(SluiceError):
    """A kind of file that is not accepted."""

    code = "unsupported"


class TooMany(SluiceError):
    """A limit is used up for ``retry_after`` seconds.

    ``headers`` tell of the limit, ``more`` goes into the problem document.
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
    """A part that is needed is away, or there is no room; try again in ``retry_after`` seconds."""

    code = "unavailable"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
