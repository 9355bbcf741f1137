"""The one place where an error gets its HTTP status and format.

The API responds with RFC 9457 problem documents, the console with a page or a fragment.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import peewee
import redis
from flask import Flask, Response, current_app, json, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from models import errors
from models.database.connection import code_of
from models.errors import readable_size
from tasks.storage import UNWRITABLE, MediaUnwritable
from webapp.limits import limits

log = logging.getLogger("sluice.errors")
PAGE = "sluice_problem_page"  # the Flask extension that renders a problem, set by the console
TYPES = "urn:sluice:"  # names, not URLs: they never change; nginx uses the same
DISK_FULL = "53100"  # SQLSTATE of PostgreSQL
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
STATUS = {
    "invalid": (422, "The request is not valid"),
    "malformed": (400, "The request cannot be read"),
    "unauthorised": (401, "The API key is missing or not valid"),
    "forbidden": (403, "This is not allowed"),
    "not_found": (404, "Not found"),
    "conflict": (409, "The request conflicts with the current state"),
    "too_large": (413, "Too large"),
    "unsupported": (415, "This file type is not accepted"),
    "too_many": (429, "Too many requests"),
    "unavailable": (503, "Temporarily unavailable"),
    "internal": (500, "Internal error"),
}


@dataclass(frozen=True)
class Problem:
    """An error as shown to a client or a person; ``retry_after`` in seconds."""

    code: str
    status: int
    title: str
    detail: str
    field: str | None = None
    retry_after: int | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The RFC 9457 document."""
        document: dict[str, Any] = {
            "type": TYPES + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.field is not None:
            document["field"] = self.field
        return {**document, **self.more}

    def response(self) -> Response:
        """The problem document as an HTTP response."""
        response = Response(
            json.dumps(self.document()), self.status, content_type="application/problem+json"
        )
        response.headers.extend(self.headers)
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        if self.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="sluice"'
        return response


def init_app(app: Flask) -> None:
    """Register the handler of all exceptions."""
    app.register_error_handler(Exception, _handle)


def _handle(error: Exception) -> Any:
    problem = problem_of(error)
    page = current_app.extensions.get(PAGE)
    if page is not None and _is_for_a_person():
        return page(problem)
    return problem.response()


def _is_for_a_person() -> bool:
    """Whether the response is a page: always in the console, never in the API, else by Accept."""
    top = request.path.split("/")[1]
    accept = request.accept_mimetypes
    is_browser = accept.quality("text/html") > accept.quality("application/json")
    return top == "console" or (top != "api" and is_browser)


def problem_of(error: Exception) -> Problem:
    """Map an exception to a problem."""
    if isinstance(error, RateLimitExceeded):
        error = limits.too_many(error)
    if isinstance(error, errors.SluiceError):
        status, title = STATUS[error.code]
        more = {
            name: getattr(error, name)
            for name in ("retry_after", "headers", "more")
            if hasattr(error, name)
        }
        return Problem(error.code, status, title, error.detail, error.field, **more)
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, peewee.OperationalError | peewee.InterfaceError):
        if code_of(error) == DISK_FULL:
            return _unavailable("The disk is full; nothing was stored.", error, retry_after=30)
        return _unavailable("The database does not respond; nothing was stored.", error)
    if isinstance(error, redis.RedisError):
        return _unavailable("The queue does not respond.", error)
    if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
        return _unavailable("The disk is full; nothing was stored.", error, retry_after=30)
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        unwritable = MediaUnwritable(error)
        detail = f"{unwritable.detail} Nothing was stored."
        return _unavailable(detail, error, unwritable.retry_after)
    return _unexpected(error)


def _unavailable(detail: str, error: Exception, retry_after: int = 5) -> Problem:
    log.warning("%s %s: %s", request.method, _path(), error)
    return Problem("unavailable", *STATUS["unavailable"], detail, None, retry_after)


def _of_http(error: HTTPException) -> Problem:
    status = error.code or 500
    codes = {entry[0]: code for code, entry in STATUS.items()}
    code = codes.get(status, f"http_{status}")
    title = STATUS[code][1] if code in STATUS else error.name
    methods = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    headers = {"Allow": methods} if methods else {}
    if status == 413:
        most = readable_size(request.max_content_length or 0)
        detail = f"The body has more than {most}, the most that this URL accepts."
    elif status == 404 and request.routing_exception is not None:
        detail = _no_such_url()
    elif methods:
        detail = f"This URL does not accept {request.method}. It accepts: {methods}."
    else:
        detail = error.description or error.name
    return Problem(code, status, title, detail, headers=headers)


def _no_such_url() -> str:
    path = request.path
    adapter = current_app.create_url_adapter(request)
    if adapter is not None and path.endswith("/") and adapter.allowed_methods(path.rstrip("/")):
        return "This URL has no slash at its end. Leave it out."
    if path.startswith("/api"):
        return "There is no such URL. /api/openapi.json lists the calls."
    return "There is no such page."


def _unexpected(error: Exception) -> Problem:
    request_id = request.headers.get("X-Request-ID", "-")
    log.error("%s %s [%s]", request.method, _path(), request_id, exc_info=error)
    detail = f"This is a fault of the server. It was logged as {request_id}."
    return Problem("internal", *STATUS["internal"], detail)


def _path() -> str:
    """The path of the request for the log, without the token of a link that may be unused."""
    token = (request.view_args or {}).get("token")
    return request.path.replace(token, "-") if token else request.path
