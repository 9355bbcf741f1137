"""Waits for PostgreSQL that end: psycopg2's wait callback and the circuit breaker of a pool.

A query may take a minute, so silence alone proves nothing. After ``PATIENCE`` seconds without a
response the pool's breaker probes the server over a new connection. If it works, the query waits
on; if not, this and every other query of the process fails at once until a probe succeeds. This
holds for a server that is stopped (SIGSTOP), for lost packets, and for connections through a Unix
socket, none of which libpq's own timeouts cover.

An error raised in the callback makes psycopg2 close that connection, so no rollback waits for the
server. In gevent it waits cooperatively, as psycogreen does, which has no bound.
"""

from __future__ import annotations

import select
import sys
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

from models.circuit_breaker import SILENT, CircuitBreaker

PATIENCE = 0.4  # seconds without a response after which the server is probed
PROBE_TIMEOUT = 1.4  # seconds for the whole probe; a new backend takes some on a busy machine
POOLED_TIMEOUT = 6.0  # the same behind PgBouncer, where a probe waits in line for a connection
CONNECT_TIMEOUT = 5.0  # seconds for each step of a connection that belongs to no pool
CONNECTED = (extensions.STATUS_READY, extensions.STATUS_BEGIN, extensions.STATUS_PREPARED)
LATE = 0.25  # seconds; a wait that ends later than this was delayed by this process


class BoundedConnection(extensions.connection):
    """A connection whose waits ask ``breaker``."""

    breaker: CircuitBreaker


class ProbeConnection(extensions.connection):
    """A connection whose waits end at ``deadline`` (monotonic seconds)."""

    deadline: float


def install() -> None:
    """Let every wait of this process for PostgreSQL be one of these."""
    extensions.set_wait_callback(wait)


def factory(
    name: str, parameters: dict[str, Any], *, pooled: bool = False
) -> type[BoundedConnection]:
    """The class of a pool's connections, with a breaker that these parameters are probed for."""
    timeout = POOLED_TIMEOUT if pooled else PROBE_TIMEOUT
    breaker = CircuitBreaker(name, lambda: probe(parameters, timeout))
    return type("PoolConnection", (BoundedConnection,), {"breaker": breaker})


def wait(connection: Any) -> None:
    """psycopg2's wait callback; raises OperationalError if the server does not respond."""
    while (state := connection.poll()) != extensions.POLL_OK:
        event = select.POLLIN if state == extensions.POLL_READ else select.POLLOUT
        if isinstance(connection, BoundedConnection):
            _wait_while_it_works(connection, event)
        elif isinstance(connection, ProbeConnection):
            _wait_until_deadline(connection, event)
        elif not _ready(connection, event, _longest(connection)):
            raise psycopg2.OperationalError(f"the server {SILENT}")


def _wait_while_it_works(connection: BoundedConnection, event: int) -> None:
    while not _ready(connection, event, PATIENCE):
        trouble = connection.breaker.verify(PATIENCE)
        if trouble:
            raise psycopg2.OperationalError(f"{connection.breaker.name} {trouble}")


def _wait_until_deadline(connection: ProbeConnection, event: int) -> None:
    """Wait for a response of the probe; if this process was stopped, it gets the time back."""
    while not _ready(connection, event, max(0.0, connection.deadline - time.monotonic())):
        late = time.monotonic() - connection.deadline
        if late < LATE:
            raise psycopg2.OperationalError(SILENT)
        connection.deadline += late + LATE


def _longest(connection: Any) -> float | None:
    """How long a connection of no pool may wait: its queries as long as they take."""
    return None if connection.status in CONNECTED else CONNECT_TIMEOUT


def _ready(connection: Any, event: int, seconds: float | None) -> bool:
    """Whether the socket is ready within ``seconds``; None: wait for ever."""
    cooperative = sys.modules.get("gevent.socket")
    if cooperative is not None and select.poll.__module__.startswith("gevent"):
        return _ready_in_gevent(cooperative, connection.fileno(), event, seconds)
    poll = select.poll()
    poll.register(connection.fileno(), event)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def _ready_in_gevent(cooperative: Any, number: int, event: int, seconds: float | None) -> bool:
    """The same for less: gevent's ``poll`` costs 40 µs a wait more than this."""
    wait_for = cooperative.wait_read if event == select.POLLIN else cooperative.wait_write
    try:
        wait_for(number, timeout=seconds)
    except TimeoutError:
        return False
    return True


def probe(parameters: dict[str, Any], timeout: float) -> str:
    """What is wrong with the server, by ``SELECT 1`` over a new connection; "" if it responds.

    An error that the server sends is a response: it may have no connection left, for example.
    """
    until = time.monotonic() + timeout
    made = type("Probe", (ProbeConnection,), {"deadline": until})
    try:
        connection = psycopg2.connect(**parameters, connection_factory=made)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.close()
    except psycopg2.Error as error:
        return "" if error.pgcode or "FATAL" in str(error) else SILENT
    return ""
