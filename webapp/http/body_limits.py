"""How large the body of a request may be, and whether it may hold files, for each view.

A view that says nothing takes a small form without files. ``accepts`` is for views that take more.
nginx.conf has the same limits by location; these hold for a body that reaches the application by
another way, and before anything is parsed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask_login import current_user

from models.settings import get_settings

SMALL = 64 * 1024  # bytes; nginx.conf has the same
MOST_FIELDS = 1000  # of a url-encoded form
MOST_PARTS = 64  # of a multipart form
ATTRIBUTE = "accepted_body"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Body:
    """The body that a view accepts.

    ``size``: bytes, None for as many as an upload may have. ``text``: bytes of one text field of a
    multipart form; ``encoded``: bytes of a whole url-encoded form, None for ``text``.
    ``signed_in``: refuse the bodies of strangers before they are parsed; a CSRF token is in the
    body, so it would be checked too late.
    """

    size: int | None = SMALL
    text: int = SMALL
    encoded: int | None = None
    files: bool = False
    signed_in: bool = False


UPLOAD = Body(size=None, text=512 * 1024, encoded=2 * 1024 * 1024, files=True)


def accepts(body: Body) -> Callable[[View], View]:
    """Mark a view that accepts more than a small form without files."""

    def marked(view: View) -> View:
        setattr(view, ATTRIBUTE, body)
        return view

    return marked


def init_app(app: Flask) -> None:
    """Apply the limits before every view, and before the forms' tokens are checked."""
    app.config.update(
        MAX_CONTENT_LENGTH=SMALL, MAX_FORM_MEMORY_SIZE=SMALL, MAX_FORM_PARTS=MOST_PARTS
    )
    app.before_request(_apply)


def of_request() -> Body:
    """What the view of this request accepts."""
    view = current_app.view_functions.get(request.endpoint or "")
    body: Body = getattr(view, ATTRIBUTE, Body())
    return body


def _apply() -> Any:
    body = of_request()
    if body.signed_in and request.method == "POST" and not current_user.is_authenticated:
        return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    request.max_content_length = get_settings().max_body_size if body.size is None else body.size
    encoded = request.mimetype == "application/x-www-form-urlencoded"
    request.max_form_memory_size = (encoded and body.encoded) or body.text
    return None
