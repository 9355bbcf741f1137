"""Limits of uploads, by Flask-Limiter in Redis: author, address of the author, client, all.

Where Redis is away each process keeps limiting on its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app, g
from flask_limiter import Limiter, RateLimitExceeded

from models.errors import TooMany
from models.settings import Settings

WHOSE = {
    "author": "This author",
    "pause": "This author",
    "author_ip": "This user_ip",
    "client": "This client",
    "all": "This server",
}

CHARGE = "sluice_charge"  # the extension that counts an upload

limiter = Limiter(
    key_func=lambda: "nobody",
    strategy="sliding-window-counter",
    key_prefix="sluice_v1",  # change it with the strategy: keys of another one are of another type
    in_memory_fallback_enabled=True,
    headers_enabled=False,
)


@dataclass(frozen=True, slots=True)
class Uploader:
    """Whose upload is counted."""

    client_id: int
    user_id: str
    address: str | None


def init_app(app: Flask) -> None:
    """Point the limiter at the settings' Redis and make the limits that are switched on."""
    settings: Settings = app.config["SETTINGS"]
    app.config["RATELIMIT_STORAGE_URI"] = settings.redis.replace("unix://", "redis+unix://", 1)
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 1}
    limiter.init_app(app)
    app.extensions[CHARGE] = _limited(settings)


def charge(uploader: Uploader) -> None:
    """Count an upload; raises RateLimitExceeded where one of its limits is used up."""
    g.uploader = uploader
    current_app.extensions[CHARGE]()


def _limited(settings: Settings) -> Callable[[], None]:
    """A call that raises RateLimitExceeded; what is off in the settings costs nothing."""
    pause = math.ceil(settings.min_seconds_between_uploads)
    per_author = (
        (settings.max_uploads_per_minute, "minute"),
        (settings.max_uploads_per_hour, "hour"),
    )
    limits = (
        ("all", _per(settings.global_rate_limit), lambda: "all"),
        ("client", _per(settings.max_uploads_per_minute_per_client), _client),
        ("author_ip", _per(settings.max_uploads_per_minute_per_ip), _address),
        ("pause", f"1/{pause} second" if pause else "", _author),
        ("author", ";".join(f"{count}/{unit}" for count, unit in per_author if count), _author),
    )
    call: Callable[[], None] = _nothing
    for scope, text, key in limits:
        if text:
            exempt = _has_no_address if scope == "author_ip" else None
            limit = limiter.shared_limit(text, scope=scope, key_func=key, exempt_when=exempt)
            call = limit(call)
    return call


def _nothing() -> None:
    """What the limits are wrapped around."""


def _per(count: int) -> str:
    return f"{count}/minute" if count else ""


def _client() -> str:
    return str(g.uploader.client_id)


def _author() -> str:
    return f"{g.uploader.client_id}:{g.uploader.user_id}"


def _address() -> str:
    return f"{g.uploader.client_id}:{g.uploader.address}"


def _has_no_address() -> bool:
    return g.uploader.address is None


def too_many(error: RateLimitExceeded) -> TooMany:
    """The limiter's error as the domain's, with the seconds until there is room again."""
    current = limiter.current_limit
    wait = math.ceil(current.reset_at - time.time()) if current is not None else 60
    limit = error.limit
    if limit is None:
        return TooMany("Too many requests.", retry_after=max(1, wait))
    item = limit.limit
    span = (
        f"{item.multiples} {item.GRANULARITY.name}s"
        if item.multiples > 1
        else (f"a {item.GRANULARITY.name}")
    )
    whose = WHOSE.get(str(getattr(limit, "scope", "")), "You")
    uploads = "1 upload" if item.amount == 1 else f"{item.amount:,} uploads"
    return TooMany(f"{whose} may make {uploads} in {span}.", retry_after=max(1, wait))
