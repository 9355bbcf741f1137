"""How Redis is reached: by its address, with TLS or not, or by the sentinels who know it."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from models.settings import Settings
from models.settings.urls import Sentinels, is_sentinel

CONNECT_WITHIN = 1  # seconds


def connect(settings: Settings, most: int | None = None) -> redis.ConnectionPool:
    """A pool of Redis connections that fail at once where Redis is away; ``most`` of them."""
    options: dict[str, Any] = {
        "max_connections": most,
        "socket_timeout": settings.redis_command_timeout,
        "socket_connect_timeout": CONNECT_WITHIN,
        "retry": Retry(NoBackoff(), 0),
    }
    if is_sentinel(settings.redis):
        return _by_sentinels(Sentinels.parse(settings.redis), options)
    return redis.ConnectionPool.from_url(settings.redis, **options)


def _by_sentinels(there: Sentinels, options: dict[str, Any]) -> redis.ConnectionPool:
    """Connections to whoever is the master when they are opened.

    A failover closes those to the old master, or lets it answer that it is read-only; either
    ends them, and the next asks the sentinels again.
    """
    tls: dict[str, Any] = {}
    if there.secure:
        tls = {"ssl": True}
        if "ssl_ca_certs" in there.query:
            tls["ssl_ca_certs"] = there.query["ssl_ca_certs"]
    asking = {
        "socket_timeout": CONNECT_WITHIN,
        "socket_connect_timeout": CONNECT_WITHIN,
        "username": there.query.get("sentinel_username"),
        "password": there.query.get("sentinel_password"),
        **tls,
    }
    return SentinelConnectionPool(
        there.master,
        Sentinel(there.hosts, sentinel_kwargs=asking),
        username=there.username,
        password=there.password,
        db=int(there.query.get("db", "0")),
        **tls,
        **options,
    )
