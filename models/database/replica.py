"""A read replica for the console's reads: DATABASE_REPLICA_URL.

``reading`` lends the replica's connection to this thread, so that every query of the block goes
there. What somebody wrote they read: ``after`` is the place in the log of their last write, and a
replica that has not replayed it is not read from.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import peewee

from models.database.connection import Pool, db, one, pool_of, release
from models.settings import Settings

AWAY_FOR = 10.0  # seconds until a replica that failed is tried again
_pools: list[Pool] = []  # of this process: none, or one
_failed_at = [float("-inf")]


class Behind(Exception):
    """The replica is away, or has not replayed what is to be read."""


def bind(settings: Settings) -> None:
    """Make this process's pool, which connects when it is needed."""
    _pools[:] = []
    if settings.database_replica_url:
        _pools.append(pool_of(settings, settings.database_replica_url, connect_timeout=2))


def is_there() -> bool:
    """Whether there is a replica that did not fail just now."""
    return bool(_pools) and time.monotonic() - _failed_at[0] > AWAY_FOR


def failed() -> None:
    """Leave it alone for some seconds."""
    _failed_at[0] = time.monotonic()


@contextmanager
def reading(after: str | None = None) -> Iterator[None]:
    """Read from the replica in the block; raises Behind, and what the database raises."""
    (pool,) = _pools
    release()
    try:
        pool.connect()
    except peewee.PeeweeException as error:
        failed()
        raise Behind from error
    lent = pool._state.conn
    db.obj._state.set_connection(lent)
    try:
        if after is not None and one("SELECT pg_last_wal_replay_lsn() >= %s", after) != (True,):
            raise Behind
        yield
    finally:
        if db.obj._state.conn is lent:
            db.obj._state.reset()
        pool.close()


@contextmanager
def aside() -> Iterator[None]:
    """The primary for the block, though the replica be read from around it."""
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


def place() -> str:
    """Where the primary's log is now."""
    row = one("SELECT pg_current_wal_lsn()::text")
    return str(row[0]) if row else ""


def told(settings: Settings) -> str:
    """How the replica is, in words; raises PeeweeException where it does not answer."""
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
