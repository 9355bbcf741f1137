"""The console's reads from the replica, where there is one; the primary where it is no use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import peewee
from flask import Flask, Response, request, session

from models.database import replica
from models.settings import get_settings

WRITTEN = "written"  # in the session: where the log was after this person's last write
View = TypeVar("View", bound=Callable[..., Any])


def init_app(app: Flask) -> None:
    """Remember who wrote what, where there is a replica to wait for."""
    settings = get_settings()
    replica.bind(settings)
    if settings.database_replica_url:
        app.after_request(_remember)


def from_replica(view: View) -> View:
    """A view that only reads. It is asked again on the primary where the replica fails it."""

    @wraps(view)
    def read(*args: Any, **kwargs: Any) -> Any:
        if not replica.is_there():
            return view(*args, **kwargs)
        written = session.get(WRITTEN)
        try:
            with replica.reading(after=written):
                reply = view(*args, **kwargs)
        except replica.Behind:
            return view(*args, **kwargs)
        except peewee.PeeweeException:
            replica.failed()
            return view(*args, **kwargs)
        if written is not None:
            session.pop(WRITTEN, None)  # it has come so far, and does not go back
        return reply

    return read  # type: ignore[return-value]


def _remember(reply: Response) -> Response:
    if request.method not in ("GET", "HEAD") and request.path.startswith("/console"):
        with contextlib.suppress(peewee.PeeweeException):
            session[WRITTEN] = replica.place()
    return reply
