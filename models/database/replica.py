"""The read replica for the console: DATABASE_REPLICA_URL.

``reading`` sets the replica's connection for this thread, so every query in the block uses it.
People read their own writes: ``after`` is the WAL LSN of their last write, and a replica that has
not replayed it is not used.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import peewee

from models.database.connection import Pool, db, one, pool_of, release
from models.settings import Settings

RETRY_AFTER = 10.0  # seconds until a replica that failed is tried again
_pools: list[Pool] = []  # of this process: none or one
_failed_at = [float("-inf")]


class ReplicaUnusable(Exception):
    """The replica is down, or has not replayed the required LSN."""


def bind(settings: Settings) -> None:
    """Create this process's pool, which connects on first use."""
    _pools[:] = []
    if settings.database_replica_url:
        _pools.append(pool_of(settings, settings.database_replica_url, name="the replica"))


def is_available() -> bool:
    """Whether a replica is configured and has not failed recently."""
    return bool(_pools) and time.monotonic() - _failed_at[0] > RETRY_AFTER


def mark_failed() -> None:
    """Do not use the replica for ``RETRY_AFTER`` seconds."""
    _failed_at[0] = time.monotonic()


@contextmanager
def reading(after: str | None = None) -> Iterator[None]:
    """Read from the replica in the block; raises ReplicaUnusable and database errors."""
    (pool,) = _pools
    release()
    try:
        pool.connect()
    except peewee.PeeweeException as error:
        mark_failed()
        raise ReplicaUnusable from error
    lent = pool._state.conn
    db.obj._state.set_connection(lent)
    try:
        if after is not None and one("SELECT pg_last_wal_replay_lsn() >= %s", after) != (True,):
            raise ReplicaUnusable
        yield
    finally:
        if db.obj._state.conn is lent:
            db.obj._state.reset()
        pool.close()


@contextmanager
def use_primary() -> Iterator[None]:
    """Use the primary in the block, even inside ``reading``."""
    lent = db.obj._state.conn if _pools and not _pools[0].is_closed() else None
    if lent is None or lent is not _pools[0]._state.conn:
        yield
        return
    db.obj._state.reset()
    try:
        yield
    finally:
        release()
        db.obj._state.set_connection(lent)


def current_wal_lsn() -> str:
    """The primary's current WAL LSN."""
    row = one("SELECT pg_current_wal_lsn()::text")
    return str(row[0]) if row else ""


def describe_lag(settings: Settings) -> str:
    """The replica's lag in words; raises PeeweeException if it does not respond."""
    if not _pools:
        bind(settings)
    pool = _pools[0]
    opened = pool.connect(reuse_if_open=True)
    try:
        row = pool.execute_sql(
            "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 ELSE"
            " extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END"
        ).fetchone()
    finally:
        if opened:
            pool.close()
    return f"{float(row[0] or 0):.0f} s behind"
