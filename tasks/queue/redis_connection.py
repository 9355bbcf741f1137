"""Connections to Redis: by its address, with or without TLS, or through Sentinels."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from models.settings import Settings
from models.settings.urls import Sentinels, is_sentinel

CONNECT_TIMEOUT = 1  # seconds


def connect(settings: Settings, most: int | None = None) -> redis.ConnectionPool:
    """A pool of at most ``most`` Redis connections; they fail at once while Redis is down."""
    options: dict[str, Any] = {
        "max_connections": most,
        "socket_timeout": settings.redis_command_timeout,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
    }
    if is_sentinel(settings.redis):
        return _by_sentinels(Sentinels.parse(settings.redis), options)
    return redis.ConnectionPool.from_url(settings.redis, **options)


def _by_sentinels(address: Sentinels, options: dict[str, Any]) -> redis.ConnectionPool:
    """Connections to the server that is the master when they are opened.

    After a failover the old master closes its connections or answers that it is read-only. Either
    ends the connection, and the next one asks the Sentinels again.
    """
    tls: dict[str, Any] = {}
    if address.secure:
        tls = {"ssl": True}
        if "ssl_ca_certs" in address.query:
            tls["ssl_ca_certs"] = address.query["ssl_ca_certs"]
    sentinel_options = {
        "socket_timeout": CONNECT_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "username": address.query.get("sentinel_username"),
        "password": address.query.get("sentinel_password"),
        **tls,
    }
    return SentinelConnectionPool(
        address.master,
        Sentinel(address.hosts, sentinel_kwargs=sentinel_options),
        username=address.username,
        password=address.password,
        db=int(address.query.get("db", "0")),
        **tls,
        **options,
    )
