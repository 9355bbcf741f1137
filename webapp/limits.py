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
from tasks import metrics, pressure
from tasks.answers import tally

WHOSE = {
    "author": "This author",
    "pause": "This author",
    "author_ip": "This user_ip",
    "client": "This client",
    "client_day": "This client",
    "client_bytes": "This client",
    "all": "This server",
}

BYTES = "client_bytes"  # the scope whose limit counts bytes, not uploads
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
    """Whose upload is counted; the address by a keyed hash."""

    client_id: int
    user_id: str
    address: str | None
    bytes: int = 0


def init_app(app: Flask) -> None:
    """Point the limiter at the settings' Redis and make the limits that are switched on."""
    settings: Settings = app.config["SETTINGS"]
    app.config["RATELIMIT_STORAGE_URI"] = settings.redis.replace("unix://", "redis+unix://", 1)
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 1}
    limiter.init_app(app)
    app.extensions[CHARGE] = _limited(settings)


def hold_back(client_id: int) -> None:
    """Raise TooMany where this client's limit is lowered and used up, before its body is read.

    A repeat with an Idempotency-Key counts too: what it repeats is not known yet.
    """
    lowered = pressure.limit_of(client_id)
    if lowered is None:
        return
    limit, one = lowered
    wait = pressure.take(client_id, limit)
    if wait:
        metrics.LIMITED.labels("pressure").inc()
        raise TooMany(
            f"The server is under pressure ({one.why}), and this client sends the most: its limit"
            f" is lowered from {one.before:,} to {limit:,} uploads a minute for now.",
            retry_after=wait,
            headers=_headers("pressure", limit, 60, wait),
            more={"lowered": {"limit": limit, "before": one.before, "reason": one.why}},
        )


def charge(uploader: Uploader) -> None:
    """Count an upload; raises RateLimitExceeded where one of its limits is used up."""
    g.uploader = uploader
    current_app.extensions[CHARGE]()
    tally.arrived(uploader.client_id)


def _limited(settings: Settings) -> Callable[[], None]:
    """A call that raises RateLimitExceeded; what is off in the settings costs nothing."""
    pause = math.ceil(settings.min_seconds_between_uploads)
    per_author = (
        (settings.max_uploads_per_minute, "minute"),
        (settings.max_uploads_per_hour, "hour"),
    )
    limits = (
        ("all", _per(settings.global_rate_limit), lambda: "all"),
        (BYTES, _per(settings.max_bytes_per_day_per_client, "day"), _client),
        ("client_day", _per(settings.max_uploads_per_day_per_client, "day"), _client),
        ("client", _per(settings.max_uploads_per_minute_per_client), _client),
        ("author_ip", _per(settings.max_uploads_per_minute_per_ip), _address),
        ("pause", f"1/{pause} second" if pause else "", _author),
        ("author", ";".join(f"{count}/{unit}" for count, unit in per_author if count), _author),
    )
    call: Callable[[], None] = _nothing
    for scope, text, key in limits:
        if text:
            limit = limiter.shared_limit(
                text,
                scope=scope,
                key_func=key,
                exempt_when=EXEMPT.get(scope),
                cost=_bytes if scope == BYTES else 1,
            )
            call = limit(call)
    return call


def _nothing() -> None:
    """What the limits are wrapped around."""


def _per(count: int, span: str = "minute") -> str:
    return f"{count}/{span}" if count else ""


def _client() -> str:
    return str(g.uploader.client_id)


def _author() -> str:
    return f"{g.uploader.client_id}:{g.uploader.user_id}"


def _address() -> str:
    return f"{g.uploader.client_id}:{g.uploader.address}"


def _bytes() -> int:
    size: int = g.uploader.bytes
    return size


def _has_no_address() -> bool:
    return g.uploader.address is None


def _has_no_images() -> bool:
    return not g.uploader.bytes


EXEMPT = {"author_ip": _has_no_address, BYTES: _has_no_images}


def too_many(error: RateLimitExceeded) -> TooMany:
    """The limiter's error as the domain's, with the seconds until there is room again."""
    current = limiter.current_limit
    wait = max(1, math.ceil(current.reset_at - time.time())) if current is not None else 60
    limit = error.limit
    if limit is None:
        return TooMany("Too many requests.", retry_after=wait)
    item, scope = limit.limit, str(getattr(limit, "scope", ""))
    metrics.LIMITED.labels(scope).inc()
    span = (
        f"{item.multiples} {item.GRANULARITY.name}s"
        if item.multiples > 1
        else (f"a {item.GRANULARITY.name}")
    )
    return TooMany(
        f"{WHOSE.get(scope, 'You')} may {_allowed(scope, item.amount)} in {span}.",
        retry_after=wait,
        headers=_headers(scope, item.amount, item.get_expiry(), wait),
    )


def _allowed(scope: str, amount: int) -> str:
    if scope == BYTES:
        return f"send {amount:,} bytes of images"
    return "make 1 upload" if amount == 1 else f"make {amount:,} uploads"


def _headers(scope: str, quota: int, window: int, wait: int) -> dict[str, str]:
    """The fields of the IETF draft (ratelimit-headers): the policy, and that nothing is left."""
    unit = ';qu="content-bytes"' if scope == BYTES else ""
    return {
        "RateLimit-Policy": f'"{scope}";q={quota};w={window}{unit}',
        "RateLimit": f'"{scope}";r=0;t={wait}',
    }
