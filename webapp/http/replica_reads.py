"""The console reads from the replica if one is configured and usable, else from the primary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import peewee
from flask import Flask, Response, request, session

from models.database import replica
from models.settings import get_settings

WRITTEN = "written"  # session key: the WAL position after this person's last write
View = TypeVar("View", bound=Callable[..., Any])


def init_app(app: Flask) -> None:
    """Record the WAL position of each write if there is a replica."""
    settings = get_settings()
    replica.bind(settings)
    if settings.database_replica_url:
        app.after_request(_remember)


def from_replica(view: View) -> View:
    """Run a read-only view on the replica; run it again on the primary if the replica fails."""

    @wraps(view)
    def read(*args: Any, **kwargs: Any) -> Any:
        if not replica.is_available():
            return view(*args, **kwargs)
        written = session.get(WRITTEN)
        try:
            with replica.reading(after=written):
                reply = view(*args, **kwargs)
        except replica.ReplicaUnusable:
            return view(*args, **kwargs)
        except peewee.PeeweeException:
            replica.mark_failed()
            return view(*args, **kwargs)
        if written is not None:
            session.pop(WRITTEN, None)  # the replica has replayed it, and never goes back
        return reply

    return read  # type: ignore[return-value]


def _remember(reply: Response) -> Response:
    if request.method not in ("GET", "HEAD") and request.path.startswith("/console"):
        with contextlib.suppress(peewee.PeeweeException):
            session[WRITTEN] = replica.current_wal_lsn()
    return reply
