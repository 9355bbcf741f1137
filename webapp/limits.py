"""Limits of uploads, by Flask-Limiter in Redis: author, address of the author, client, all.

Where Redis is away each process keeps limiting on its own.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from flask import Flask, current_app, g
from flask_limiter import Limiter, RateLimitExceeded

from models.errors import TooMany
from models.settings import Settings

OFF = "1000000000/second"
WHOSE = {
    "author": "This author",
    "pause": "This author",
    "author_ip": "This user_ip",
    "client": "This client",
    "all": "This server",
}

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
    """Point the limiter at the settings' Redis."""
    url = app.config["SETTINGS"].redis
    app.config["RATELIMIT_STORAGE_URI"] = url.replace("unix://", "redis+unix://", 1)
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 1}
    limiter.init_app(app)


def charge(uploader: Uploader) -> None:
    """Count an upload; raises RateLimitExceeded where one of its limits is used up."""
    g.uploader = uploader
    _charge()


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _per_author() -> str:
    known = _settings()
    parts = ((known.max_uploads_per_minute, "minute"), (known.max_uploads_per_hour, "hour"))
    return ";".join(f"{count}/{unit}" for count, unit in parts if count) or OFF


def _author() -> str:
    return f"{g.uploader.client_id}:{g.uploader.user_id}"


@limiter.shared_limit(
    _per_author,
    scope="author",
    key_func=_author,
    exempt_when=lambda: _per_author() == OFF,
)
@limiter.shared_limit(
    lambda: f"1/{max(1, math.ceil(_settings().min_seconds_between_uploads))} second",
    scope="pause",
    key_func=_author,
    exempt_when=lambda: not _settings().min_seconds_between_uploads,
)
@limiter.shared_limit(
    lambda: f"{_settings().max_uploads_per_minute_per_ip}/minute",
    scope="author_ip",
    key_func=lambda: f"{g.uploader.client_id}:{g.uploader.address}",
    exempt_when=lambda: g.uploader.address is None or not _settings().max_uploads_per_minute_per_ip,
)
@limiter.shared_limit(
    lambda: f"{_settings().max_uploads_per_minute_per_client}/minute",
    scope="client",
    key_func=lambda: str(g.uploader.client_id),
    exempt_when=lambda: not _settings().max_uploads_per_minute_per_client,
)
@limiter.shared_limit(
    lambda: f"{_settings().global_rate_limit}/minute",
    scope="all",
    key_func=lambda: "all",
    exempt_when=lambda: not _settings().global_rate_limit,
)
def _charge() -> None:
    """The decorators do it all."""


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
