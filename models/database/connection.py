"""The database connection: one pool per process, opened by ``connect``, for all of ``models``.

A database object created before gevent patches the process would block it. So nothing connects
at import: the tables use a proxy, and ``connect`` sets its target.
"""

from __future__ import annotations

import json
import math
import select
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import peewee
import psycopg2
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_UNKNOWN

from models.database import bounded_wait, encrypted_field
from models.settings import Settings

# For connections over a network; a URL may state others. A server that loses packets for ever is
# noticed after 25 s, while another connection works.
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

MOST_DIGITS = 18  # every number of so many digits fits into a bigint

db: Any = peewee.DatabaseProxy()


class Model(peewee.Model):
    """Base class of every table."""

    class Meta:
        database = db
        legacy_table_names = False


def row_id(text: str) -> int | None:
    """The id that a URL or a form names, in ASCII digits; None if the text cannot be an id.

    ``str.isdigit`` alone accepts "²", which ``int`` refuses, and numbers beyond a bigint.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


class Pool(PooledPostgresqlDatabase):
    """A connection pool that discards connections closed by the server.

    While the server does not respond, ``connect`` raises OperationalError at once.

    Behind PgBouncer each transaction may run in a different session. PgBouncer rejects ``options``
    at connection start but tracks the time zone, so that is set by a statement.
    """

    pooled = False  # DATABASE_POOLED, except for the owner's connections

    def connect(self, reuse_if_open: bool = False) -> Any:
        """Take a connection for this thread; raises OperationalError if none is free in time."""
        try:
            return super().connect(reuse_if_open)
        except MaxConnectionsExceeded as error:
            raise peewee.OperationalError("all database connections are in use") from error

    def _connect(self) -> Any:
        breaker = self.connect_params["connection_factory"].breaker
        trouble = breaker.settled()
        if trouble:
            raise peewee.OperationalError(f"{breaker.name} {trouble}")
        connection = super()._connect()
        if self.pooled:
            with connection.cursor() as cursor:
                cursor.execute("SET timezone TO 'UTC'")
            connection.commit()
        return connection

    def _is_closed(self, conn: Any) -> bool:
        """Whether it is unusable, found without a round trip (peewee would send ``SELECT 1``)."""
        if conn.closed or _hung_up(conn):
            return True
        status = conn.info.transaction_status
        if status == TRANSACTION_STATUS_IDLE:
            return False
        return status == TRANSACTION_STATUS_UNKNOWN or not _rolled_back(conn)


def _rolled_back(conn: Any) -> bool:
    try:
        conn.rollback()
    except psycopg2.Error:
        return False
    return True


def _hung_up(conn: Any) -> bool:
    """Whether an idle connection has data to read: only a disconnect sends any."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def connect(settings: Settings, *, pool: int | None = None, owner: bool = False) -> None:
    """Bind the tables to the configured PostgreSQL; connections open on first use.

    ``owner``: connect as the role that owns the tables, for migrations.
    """
    encrypted_field.bind(settings)
    url = settings.database_owner if owner else settings.database
    db.initialize(pool_of(settings, url, most=pool, pooled=settings.database_pooled and not owner))


def pool_of(
    settings: Settings,
    url: str,
    *,
    most: int | None = None,
    pooled: bool = False,
    name: str = "PostgreSQL",
) -> Pool:
    """A connection pool for a URL; ``pooled``: PgBouncer is in between."""
    bounded_wait.install()
    result = Pool(
        **{**KEEPALIVE, **parameters(url)},
        max_connections=most or settings.db_pool_max,
        timeout=settings.db_connection_timeout,
        stale_timeout=300,
        connection_factory=bounded_wait.factory(name, parameters(url), pooled=pooled),
        application_name="sluice",
        **({} if pooled else {"options": _options(settings)}),
    )
    result.pooled = pooled
    return result


def _options(settings: Settings) -> str:
    return f"-c statement_timeout={int(settings.db_query_timeout * 1000)} -c timezone=UTC"


def parameters(url: str) -> dict[str, Any]:
    """The libpq parameters of a ``postgresql://`` URL, including those in its query."""
    parts = urlsplit(url)
    values: dict[str, Any] = {name: value[-1] for name, value in parse_qs(parts.query).items()}
    values["database"] = parts.path.lstrip("/")
    if parts.hostname:
        values["host"] = parts.hostname
    if parts.port:
        values["port"] = parts.port
    if parts.username:
        values["user"] = unquote(parts.username)
    if parts.password:
        values["password"] = unquote(parts.password)
    return values


def pool_use() -> tuple[int, int]:
    """This process's connections: (in use, idle in the pool)."""
    return len(db._in_use), len(db._connections)


def trouble() -> str:
    """What is wrong with PostgreSQL, in words, as far as this process knows; "" if it works."""
    pool: Pool | None = db.obj
    wrong = pool.connect_params["connection_factory"].breaker.trouble if pool else ""
    return str(wrong)


def release() -> None:
    """Return this greenlet's connection to the pool, before waiting for something else."""
    if not db.is_closed():
        db.close()


def may_be_committed(error: Exception) -> bool:
    """Whether the connection broke before the server reported the result of a statement.

    A commit whose response was lost may have succeeded. If the server responded with an error,
    nothing was committed, unless the error says that it is shutting down (57P).
    """
    if not isinstance(error, peewee.OperationalError | peewee.InterfaceError):
        return False
    code = code_of(error)
    return code is None or code.startswith("57P")


def code_of(error: BaseException) -> str | None:
    """PostgreSQL's error code, such as 53100; None if the server sent none."""
    return getattr(error.__cause__ or error.__context__, "pgcode", None)


@contextmanager
def connection() -> Iterator[None]:
    """Hold a connection for the block; a nested block shares it."""
    if not db.is_closed():
        yield
        return
    db.connect()
    try:
        yield
    finally:
        release()


def rows_sql(
    columns: Mapping[str, str], rows: Iterable[Sequence[Any]], parameters: list[Any]
) -> str:
    """A SELECT that yields these rows, for ``columns`` with their types.

    The rows are appended to ``parameters`` as one JSON document: binding each value takes psycopg2
    three times as long, and the SQL text is the same for any number of rows. Values of ``jsonb``
    columns must be encoded as text. Returns "" if there are no rows.
    """
    names = [name.strip('"') for name in columns]
    document = [dict(zip(names, values, strict=True)) for values in rows]
    if not document:
        return ""
    parameters.append(_encoded(document))
    kinds = ((name, "text" if kind == "jsonb" else kind) for name, kind in columns.items())
    record = ", ".join(f"{name} {kind}" for name, kind in kinds)
    chosen = ", ".join(f"{n}::jsonb" if kind == "jsonb" else n for n, kind in columns.items())
    return f"SELECT {chosen} FROM json_to_recordset(%s) AS record ({record})"


def _encoded(document: list[dict[str, Any]]) -> str:
    try:
        return _encode(document)
    except ValueError:  # JSON has no NaN; PostgreSQL parses it from text
        finite = [{name: _as_text(value) for name, value in row.items()} for row in document]
        return _encode(finite)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> str:
    """A value that JSON has no type for, as text that PostgreSQL parses."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return f"\\x{value.hex()}"
    raise TypeError(f"{type(value).__name__} cannot be stored in a row")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain).encode


def one(sql: str, *parameters: Any) -> tuple[Any, ...] | None:
    """The first row of a query, or None."""
    row: tuple[Any, ...] | None = db.execute_sql(sql, parameters).fetchone()
    return row
