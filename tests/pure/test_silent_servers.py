"""Servers that accept a connection and never answer: no call waits for ever. Pure."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import peewee
import psycopg2
import pytest
import redis

from models.database import bounded_wait
from models.database.connection import pool_of
from models.settings import Settings, use_settings
from tasks.queue import redis_connection

SILENT = "does not respond"


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
    use_settings(Settings())


def test_a_pool_of_a_silent_postgresql_fails_and_stays_closed(port: int) -> None:
    pool = pool_of(Settings(), f"postgresql://someone@127.0.0.1:{port}/some")
    for _ in range(2):
        with pytest.raises(peewee.OperationalError, match=f"PostgreSQL {SILENT}"):
            pool.connect()
    assert pool.connect_params["connection_factory"].breaker.trouble == SILENT


def test_a_connection_of_no_pool_ends_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_wait, "CONNECT_TIMEOUT", 0.2)
    bounded_wait.install()
    with pytest.raises(psycopg2.OperationalError, match=SILENT):
        psycopg2.connect(host="127.0.0.1", port=port, user="someone", dbname="some")


def test_a_silent_redis_fails_all_callers_of_the_process(port: int) -> None:
    settings = use_settings(Settings(redis_url=f"redis://127.0.0.1:{port}"))
    pools = [redis_connection.connect(settings) for _ in range(2)]
    with pytest.raises(redis.RedisError):
        redis.Redis(connection_pool=pools[0]).get("a")
    assert redis_connection.trouble() == SILENT
    with pytest.raises(redis.ConnectionError, match=f"Redis {SILENT}"):
        redis.Redis(connection_pool=pools[1]).get("a")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (redis.exceptions.OutOfMemoryError("command not allowed", status_code="OOM"), "maxmemory"),
        (redis.ResponseError("MISCONF Redis is configured to save"), "MISCONF"),
        (redis.exceptions.ReadOnlyError("You can't write", status_code="READONLY"), "read-only"),
        (redis.ResponseError("WRONGTYPE Operation against a key"), ""),
        (ValueError("OOM"), ""),
    ],
)
def test_refusals_are_said_in_words(error: Exception, words: str) -> None:
    found = redis_connection.refusal(error)
    assert (words in found) if words else found == ""
