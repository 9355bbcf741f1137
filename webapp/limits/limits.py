"""Upload rate limits, counted in Redis: per author, author's address and client, and for all.

While Redis is down, each process limits separately, with Flask-Limiter in memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import redis
from flask import Flask, current_app, g
from flask_limiter import Limiter, RateLimitExceeded
from limits import RateLimitItem, parse_many

from models.errors import TooMany, readable_size
from models.settings import Settings, get_settings
from tasks.observability import metrics
from tasks.queue.redis_connection import connect
from webapp.limits import redis_windows
from webapp.limits.redis_windows import Count

SUBJECTS = {
    "author": "This author",
    "pause": "This author",
    "author_ip": "This user_ip",
    "client": "This client",
    "client_day": "This client",
    "client_bytes": "This client",
    "all": "This server",
}

BYTES = "client_bytes"  # the scope whose limit counts bytes, not uploads
LIMITS = "sluice_limits"  # Flask extension: the active limits
CHARGE = "sluice_charge"  # Flask extension: counts an upload in this process
PREFIX = "sluice_v1"  # change it with the strategy: its keys have other types
NAME = "\0"  # placeholder for the name of an upload in the key of a limit


class CalledLimiter(Limiter):
    """Applies limits only when called; Flask-Limiter would also check before every request."""

    def _check_request_limit(
        self, callable_name: str | None = None, in_middleware: bool = True
    ) -> None:
        if not in_middleware:
            super()._check_request_limit(callable_name, in_middleware)


limiter = CalledLimiter(
    key_func=lambda: "nobody",
    strategy="sliding-window-counter",
    key_prefix=PREFIX,
    in_memory_fallback_enabled=True,
    headers_enabled=False,
)


@dataclass(frozen=True, slots=True)
class Uploader:
    """The sender of the upload that is counted; ``address`` is a keyed hash.

    A detect request has no author: ``user_id`` and ``address`` are None.
    """

    client_id: int
    user_id: str | None
    address: str | None
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """A group of limits. Uploads with the same ``key`` share them; None is not limited."""

    name: str
    text: str
    key: Callable[[Uploader], str | None]
    cost: Callable[[Uploader], int]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a scope; ``head`` and ``tail`` are its key around the upload's name."""

    scope: Scope
    item: RateLimitItem
    head: str
    tail: str


def init_app(app: Flask) -> None:
    """Create the active limits, and the in-memory ones of this process for when Redis is down."""
    settings = get_settings()
    app.config["RATELIMIT_STORAGE_URI"] = "redis://"  # the pool has the address
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"connection_pool": connect(settings)}
    limiter.init_app(app)
    scopes = _scopes(settings)
    app.extensions[LIMITS] = _limits(scopes)
    app.extensions[CHARGE] = _limited(scopes)


def count_of(uploader: Uploader, key: str = "") -> Count | None:
    """The keys and costs of an upload for ``redis_windows.count``; None if nothing limits it.

    Of uploads with the same idempotency ``key`` of a client, only the first is counted.
    """
    counted = Count(once=f"{uploader.client_id}:{key}" if key else "")
    for limit, name in _of(uploader):
        most, seconds = limit.item.amount, limit.item.get_expiry()
        counted.add(limit.head + name + limit.tail, most, seconds, limit.scope.cost(uploader))
    return counted if counted.keys else None


def require_counted(uploader: Uploader, counted: Count | None) -> None:
    """Raise TooMany if an upload that was counted exceeds one of its limits."""
    if counted is not None and counted.refused:
        limit, _ = list(_of(uploader))[counted.refused - 1]
        raise _refusal(limit.scope.name, limit.item, max(1, math.ceil(counted.wait)))


def count_alone(uploader: Uploader) -> None:
    """Count one upload that is not committed with others; raises TooMany, RateLimitExceeded."""
    counted = count_of(uploader)
    if counted is None:
        return
    try:
        redis_windows.count([counted])
    except redis.RedisError:
        count_here(uploader)
    else:
        require_counted(uploader, counted)


def count_here(uploader: Uploader) -> None:
    """Count an upload in this process, while Redis is down; raises RateLimitExceeded."""
    g.uploader = uploader
    current_app.extensions[CHARGE]()


def _of(uploader: Uploader) -> Iterator[tuple[Limit, str]]:
    """The limits that apply to an upload, and its name in each."""
    for limit in current_app.extensions[LIMITS]:
        name = limit.scope.key(uploader)
        if name is not None:
            yield limit, name


def _scopes(settings: Settings) -> list[Scope]:
    """The scopes with at least one limit in the settings."""
    pause = math.ceil(settings.min_seconds_between_uploads)
    per_author = (
        (settings.max_uploads_per_minute, "minute"),
        (settings.max_uploads_per_hour, "hour"),
    )
    scopes = (
        Scope("author", ";".join(f"{n}/{unit}" for n, unit in per_author if n), _author, _one),
        Scope("pause", f"1/{pause} second" if pause else "", _author, _one),
        Scope("author_ip", _per(settings.max_uploads_per_minute_per_ip), _address, _one),
        Scope("client", _per(settings.max_uploads_per_minute_per_client), _client, _one),
        Scope("client_day", _per(settings.max_uploads_per_day_per_client, "day"), _client, _one),
        Scope(BYTES, _per(settings.max_bytes_per_day_per_client, "day"), _with_images, _bytes),
        Scope("all", _per(settings.global_rate_limit), lambda _: "all", _one),
    )
    return [scope for scope in scopes if scope.text]


def _limits(scopes: list[Scope]) -> tuple[Limit, ...]:
    """All limits, the shortest window first: it has room again soonest."""
    limits = []
    for scope in scopes:
        for item in parse_many(scope.text):
            head, tail = item.key_for(PREFIX, NAME, scope.name).split(NAME)
            limits.append(Limit(scope, item, head, tail))
    return tuple(sorted(limits, key=lambda limit: limit.item.get_expiry()))


def _limited(scopes: list[Scope]) -> Callable[[], None]:
    """A function that counts ``g.uploader`` with Flask-Limiter; raises RateLimitExceeded."""
    call: Callable[[], None] = _nothing
    for scope in scopes:
        call = _shared_limit(scope)(call)
    return call


def _shared_limit(scope: Scope) -> Any:
    return limiter.shared_limit(
        scope.text,
        scope=scope.name,
        key_func=lambda: scope.key(g.uploader) or "",
        exempt_when=lambda: scope.key(g.uploader) is None,
        cost=lambda: scope.cost(g.uploader),
    )


def _nothing() -> None:
    """The function that the limits wrap."""


def _per(count: int, span: str = "minute") -> str:
    return f"{count}/{span}" if count else ""


def _client(uploader: Uploader) -> str:
    return str(uploader.client_id)


def _with_images(uploader: Uploader) -> str | None:
    return _client(uploader) if uploader.bytes else None


def _author(uploader: Uploader) -> str | None:
    if uploader.user_id is None:
        return None
    return f"{uploader.client_id}:{uploader.user_id}"


def _address(uploader: Uploader) -> str | None:
    return f"{uploader.client_id}:{uploader.address}" if uploader.address is not None else None


def _one(_: Uploader) -> int:
    return 1


def _bytes(uploader: Uploader) -> int:
    return uploader.bytes


def too_many(error: RateLimitExceeded) -> TooMany:
    """The limiter's error as TooMany, with the seconds until there is room again."""
    current = limiter.current_limit
    wait = max(1, math.ceil(current.reset_at - time.time())) if current is not None else 60
    limit = error.limit
    if limit is None:
        return TooMany("Too many requests.", retry_after=wait)
    return _refusal(str(getattr(limit, "scope", "")), limit.limit, wait)


def _refusal(scope: str, item: RateLimitItem, wait: int) -> TooMany:
    """The error for a limit that is used up; ``wait`` in seconds."""
    metrics.meters().limited.labels(scope).inc()
    span = (
        f"{item.multiples} {item.GRANULARITY.name}s"
        if item.multiples > 1
        else (f"a {item.GRANULARITY.name}")
    )
    return TooMany(
        f"{SUBJECTS.get(scope, 'You')} may {_allowed(scope, item.amount)} in {span}.",
        retry_after=wait,
        headers=rate_headers(scope, item.amount, item.get_expiry(), wait),
    )


def _allowed(scope: str, amount: int) -> str:
    if scope == BYTES:
        return f"send {readable_size(amount)} of images"
    return "make 1 upload" if amount == 1 else f"make {amount:,} uploads"


def rate_headers(scope: str, quota: int, window: int, wait: int) -> dict[str, str]:
    """The headers of the IETF draft (ratelimit-headers): the policy, and 0 remaining."""
    unit = ';qu="content-bytes"' if scope == BYTES else ""
    return {
        "RateLimit-Policy": f'"{scope}";q={quota};w={window}{unit}',
        "RateLimit": f'"{scope}";r=0;t={wait}',
    }
