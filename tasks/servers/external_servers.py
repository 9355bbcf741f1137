"""Servers that the settings name: whether each answers, and whether it lets Sluice in.

No message contains a URL or a password. SettingError means that the setting must be corrected;
Unavailable, that the server may answer later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import psycopg2
import redis

from models.errors import SettingError, Unavailable
from models.settings import Settings
from models.settings.urls import is_bucket, server_of
from tasks import storage
from tasks.queue import redis_connection

CONNECT_TIMEOUT = 3  # seconds
# PostgreSQL refuses for a while with these words, and then accepts the same login.
PASSING = re.compile(r"starting up|shutting down|recovery|too many|remaining connection slots")
UNAUTHENTICATED = re.compile("HELLO must be called with the client already|Authentication required")
DIRECT = "until it does, uploads get the mode direct, with limited capacity"
Check = tuple[str, Callable[[Settings], str]]


def checks(settings: Settings) -> Iterator[Check]:
    """(name, check) of each server that the settings name, but the embedded ones.

    A check returns what answered, in words; it raises SettingError or Unavailable.
    """
    if settings.database_url:
        yield "PostgreSQL", lambda s: check_database("DATABASE_URL", s.database_url)
    if settings.database_owner_url:
        yield "owner", lambda s: check_database("DATABASE_OWNER_URL", s.database_owner_url)
    if settings.database_replica_url:
        yield "replica", lambda s: check_database("DATABASE_REPLICA_URL", s.database_replica_url)
    if settings.redis_url:
        yield "Redis", check_redis
    if settings.storage_url:
        yield "storage", check_storage


def unavailable(settings: Settings) -> list[str]:
    """A sentence for each server, but PostgreSQL, that does not answer; raises SettingError.

    Sluice starts without them, so they are warnings.
    """
    sentences = []
    for name, check in checks(settings):
        if name in ("PostgreSQL", "owner"):
            continue  # nothing starts without it: it was waited for
        try:
            check(settings)
        except Unavailable as error:
            sentences.append(error.detail)
    return sentences


def check_database(setting: str, url: str) -> str:
    """Connect once; returns the server and its version."""
    try:
        connection = psycopg2.connect(url, connect_timeout=CONNECT_TIMEOUT)
    except psycopg2.ProgrammingError as error:
        raise SettingError(f"{setting} {_wrong_option(str(error))}") from None
    except psycopg2.OperationalError as error:
        raise _unusable(setting, url, str(error)) from None
    version = connection.info.server_version
    user = connection.info.user
    connection.close()
    return f"{server_of(url)}, PostgreSQL {version // 10000}.{version % 10000}, role {user}"


def check_redis(settings: Settings) -> str:
    """Write once, as the queue does; returns the server."""
    server = server_of(settings.redis)
    try:
        pool = redis_connection.plain_pool(settings, CONNECT_TIMEOUT)
        try:
            redis.Redis(connection_pool=pool).set(redis_connection.PROBE_KEY, 1, ex=60)
        finally:
            pool.disconnect()
    except (redis.AuthenticationError, redis.exceptions.AuthorizationError) as error:
        why = "it requires a password" if UNAUTHENTICATED.search(str(error)) else _end(str(error))
        raise SettingError(f"REDIS_URL: {server} refuses the login: {why}") from None
    except (redis.ConnectionError, redis.TimeoutError) as error:
        why = re.sub(r"^Error \S+ (?:connecting|while reading)[^.]* \S+\. ", "", str(error))
        raise Unavailable(f"REDIS_URL: {server} does not answer: {_end(why)}; {DIRECT}") from None
    except redis.RedisError as error:
        wrong = redis_connection.refusal(error)
        if wrong:
            raise Unavailable(f"REDIS_URL: {server} {wrong}; {DIRECT}") from None
        raise SettingError(f"REDIS_URL: {server} refuses: {error}") from None
    except (TypeError, ValueError):
        raise SettingError("REDIS_URL has an option that the Redis library does not know") from None
    return server


def check_storage(settings: Settings) -> str:
    """Write a file or ask for the bucket; returns its name."""
    try:
        return storage.of(settings).check()
    except storage.StorageDown as error:
        where = "the bucket" if is_bucket(settings.storage_url) else settings.storage_url
        raise Unavailable(f"STORAGE_URL: {where}: {_end(error.detail)}") from error


def _unusable(setting: str, url: str, text: str) -> SettingError | Unavailable:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    refusal = re.search(r"(?:FATAL|ERROR):\s*(.*)", text)
    if refusal and not PASSING.search(refusal[1]):
        return SettingError(f"{setting}: {server_of(url)} refuses: {_end(refusal[1])}")
    why = re.sub(r"^connection to server .*? failed: ", "", lines[0] if lines else "no reason")
    return Unavailable(f"{setting}: {server_of(url)} does not answer: {_end(why)}")


def _wrong_option(text: str) -> str:
    """Which option PostgreSQL's library refuses; its own words may hold a part of a password."""
    option = re.search(r'(?:option|parameter)[:]? "([a-z_]+)"', text)
    if option:
        return f"has an option that PostgreSQL does not know: {option[1]}"
    return "is not a URL that PostgreSQL's library can read"


def _end(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
