"""Connections to Redis: by its address, with or without TLS, or through Sentinels.

Every pool of a process shares one circuit breaker. A command that gets no response for ``PATIENCE``
seconds lets it probe Redis: if Redis works, the command waits on, for REDIS_COMMAND_TIMEOUT at
most; if not, this and all further commands fail at once, until a background probe succeeds. The
probe writes, so a Redis that responds but refuses writes counts as down. redis-py's own circuit
breaker (``redis.multidb``) chooses between several servers and cannot guard one.
"""

from __future__ import annotations

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool
from redis.utils import SENTINEL

from models.circuit_breaker import CircuitBreaker
from models.settings import Settings, get_settings, per_process
from models.settings.urls import Sentinels, is_sentinel

CONNECT_TIMEOUT = 1.0  # seconds
PATIENCE = 0.4  # seconds without a response after which Redis is probed
PROBE_TIMEOUT = 0.4  # seconds, for the connection and for each response of the probe
PROBE_KEY = "sluice:probe"
BLOCKING = ("BZPOPMIN", "BLPOP")  # commands whose last argument is how long Redis may wait
REFUSALS = {
    "OOM": "refuses writes: its memory is full (maxmemory)",
    "MISCONF": "refuses writes: it cannot save to its disk (MISCONF)",
    "READONLY": "refuses writes: it is a read-only replica",
    "NOREPLICAS": "refuses writes: it has too few replicas",
    "MASTERDOWN": "refuses commands: its primary is down",
    "LOADING": "is still loading its data",
    "BUSY": "is busy with a script",
}


def connect(settings: Settings, most: int | None = None) -> redis.ConnectionPool:
    """A pool of at most ``most`` Redis connections; they fail at once while Redis is down."""
    pool = _pool(settings, most, CONNECT_TIMEOUT, PATIENCE)
    watched = (WatchedConnection, pool.connection_class)
    pool.connection_class = type("Connection", watched, {})
    return pool


def plain_pool(settings: Settings, timeout: float) -> redis.ConnectionPool:
    """A pool of one connection without the circuit breaker, for scripts that ask once."""
    return _pool(settings, 1, timeout, timeout)


def trouble() -> str:
    """What is wrong with Redis, in words, as far as this process knows; "" if it works."""
    return get_breaker().trouble


def verify() -> str:
    """The same after a probe, which writes; for what reports on Redis."""
    return get_breaker().verify()


def recoveries() -> int:
    """How often Redis has come back since this process began."""
    return get_breaker().recoveries


def refusal(error: BaseException) -> str:
    """Why Redis refused a command that it would accept if it were well, in words; else ""."""
    code = getattr(error, "status_code", None) or str(error).partition(" ")[0]
    return REFUSALS.get(code, "") if isinstance(error, redis.RedisError) else ""


class WatchedConnection(AbstractConnection):
    """Mixed into redis-py's connection classes: asks the process's breaker before each command."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._blocks = 0.0  # seconds that Redis may wait before it responds

    def connect(self) -> None:
        """Raise ConnectionError at once while Redis is down."""
        _require_working()
        try:
            super().connect()
        except (redis.ConnectionError, redis.TimeoutError):
            get_breaker().verify()
            raise

    def send_command(self, *args: Any, **options: Any) -> None:
        """Note for how long a blocking command may wait."""
        self._blocks = float(args[-1]) if args[0] in BLOCKING else 0.0
        super().send_command(*args, **options)

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Raise ConnectionError at once while Redis is down."""
        _require_working()
        try:
            super().send_packed_command(*args, **options)
        except (redis.ConnectionError, redis.TimeoutError):
            get_breaker().verify()
            raise

    def read_response(self, *args: Any, timeout: Any = SENTINEL, **options: Any) -> Any:
        """Wait for a response, as long as Redis works; a subscriber's ``timeout`` is its own."""
        try:
            if timeout is not SENTINEL:
                return super().read_response(*args, timeout=timeout, **options)
            return self._read(*args, **options)
        except redis.TimeoutError:
            raise
        except (redis.ConnectionError, redis.ResponseError) as error:
            if isinstance(error, redis.ConnectionError) or refusal(error):
                get_breaker().verify()
            raise

    def _read(self, *args: Any, disconnect_on_error: bool = True, **options: Any) -> Any:
        started, blocks, self._blocks = time.monotonic(), self._blocks, 0.0
        while True:
            try:
                return super().read_response(*args, disconnect_on_error=False, **options)
            except redis.ResponseError:
                raise  # a complete response: the connection can be used again
            except BaseException as error:
                if isinstance(error, redis.TimeoutError) and _may_wait(started, blocks):
                    continue
                if disconnect_on_error:
                    self.disconnect()
                raise


def _may_wait(started: float, blocks: float) -> bool:
    """Whether a command without a response may wait on: Redis may block it, or it works."""
    waited = time.monotonic() - started - blocks
    if waited < 0:
        return not get_breaker().trouble
    return waited < get_settings().redis_command_timeout and not get_breaker().verify(PATIENCE)


def _require_working() -> None:
    wrong = get_breaker().settled()
    if wrong:
        raise redis.ConnectionError(f"Redis {wrong}")


def _probe(settings: Settings) -> str:
    """What is wrong with Redis, after one write over a new connection; "" if it works."""
    started = time.monotonic()
    wrong = _probe_once(settings)
    late = time.monotonic() - started > 4 * PROBE_TIMEOUT  # this process itself was stopped
    return _probe_once(settings) if wrong and late else wrong


def _probe_once(settings: Settings) -> str:
    pool = _pool(settings, 1, PROBE_TIMEOUT, PROBE_TIMEOUT)
    try:
        redis.Redis(connection_pool=pool).set(PROBE_KEY, 1, ex=60)
    except redis.RedisError as error:
        if isinstance(error, redis.AuthenticationError):
            return "refuses the password"
        down = isinstance(error, redis.ConnectionError | redis.TimeoutError)
        return refusal(error) or ("does not respond" if down else "")
    finally:
        pool.disconnect()
    return ""


def _make_breaker(settings: Settings) -> CircuitBreaker:
    return CircuitBreaker("Redis", lambda: _probe(settings))


get_breaker = per_process(_make_breaker)


def _pool(
    settings: Settings, most: int | None, connect_timeout: float, timeout: float
) -> redis.ConnectionPool:
    options: dict[str, Any] = {
        "max_connections": most,
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if not settings.redis.startswith("unix"):
        options["socket_keepalive"] = True  # ends a subscription whose server is gone
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
        "socket_timeout": options["socket_connect_timeout"],
        "socket_connect_timeout": options["socket_connect_timeout"],
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
