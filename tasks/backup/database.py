"""The database in a backup: one snapshot for the dump and for the checksums of its rows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn
from psycopg2.sql import SQL, Identifier

from models.errors import Unavailable
from models.settings import Settings
from tasks.servers import configs, layout, postgres

PARTITIONS = 7_243_003  # the lock of keep_raw_days(), which creates and drops partitions
SERVER_TIMEOUT = 60.0  # seconds until a server that was started here answers
# A row's text must not depend on the session's settings.
PLAIN = "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';"
PLAIN += " SET extra_float_digits = 1; SET bytea_output = 'hex'"
SUM = "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
KEYS = "SELECT storage_key, encode(sha256, 'hex') FROM image"
PICTURES = "SELECT picture FROM known_hash WHERE picture IS NOT NULL"


def address(settings: Settings) -> str:
    """The libpq connection string of the database's owner; the superuser if it is embedded."""
    if settings.database_url:
        return make_dsn(settings.database_owner)
    return make_dsn(**postgres.superuser(settings, "sluice"))


class Snapshot:
    """A snapshot of the database, held by its own transaction."""

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()
        self._cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._cursor.execute(PLAIN)
        self._cursor.execute("SELECT pg_export_snapshot(), now()::text")
        self.name, self.at = self._cursor.fetchone()

    def tables(self) -> dict[str, dict[str, Any]]:
        """The number of ``rows`` and their ``sum`` per table; the order of rows does not matter."""
        self._cursor.execute(TABLES)
        tables = {}
        for (name,) in self._cursor.fetchall():
            self._cursor.execute(SQL(SUM + " FROM {} t").format(Identifier(name)))
            rows, total = self._cursor.fetchone()
            tables[name] = {"rows": rows, "sum": total}
        return tables

    def originals(self) -> dict[str, str]:
        """The originals with a row: SHA-256 by key, "" if the row has none."""
        self._cursor.execute(PICTURES)
        pictures = {row[0]: "" for row in self._cursor.fetchall()}
        self._cursor.execute(KEYS)
        return {**pictures, **dict(self._cursor.fetchall())}

    def audit_head(self) -> str:
        """The last digest of the audit's chain."""
        self._cursor.execute("SELECT encode(digest, 'hex') FROM audit_head")
        return str(self._cursor.fetchone()[0])


@contextmanager
def snapshot(settings: Settings) -> Iterator[Snapshot]:
    """Hold a snapshot for the block; raises Unavailable if the database does not answer."""
    with closing(_connect(settings)) as connection:
        _keep_partitions(connection)
        yield Snapshot(connection)


def _keep_partitions(connection: Any) -> None:
    """Prevent partitions from being dropped until this connection ends.

    Otherwise the snapshot would list dropped tables. The lock is taken before the snapshot. The
    standby retries later.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", (PARTITIONS,))


def _connect(settings: Settings) -> Any:
    try:
        return psycopg2.connect(address(settings), connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise Unavailable(f"the database does not answer: {str(error).strip()}") from error


def dump(settings: Settings, held: Snapshot, path: Path) -> None:
    """Write the snapshot to a file in pg_dump's custom format."""
    options = ["--format=custom", "--compress=1", f"--snapshot={held.name}", f"--file={path}"]
    _run(settings, "pg_dump", [*options, "--no-sync"])


def restore(settings: Settings, path: Path) -> None:
    """Restore a dump into an empty database, in one transaction."""
    options = ["--exit-on-error", "--single-transaction"]
    options += ["--no-owner", "--no-acl"] if settings.database_url else []
    _run(settings, "pg_restore", [*options, str(path)])


def is_empty(settings: Settings) -> bool:
    """Whether the database has no table."""
    with closing(_connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        return cursor.fetchone() is None


def _run(settings: Settings, program: str, options: list[str]) -> None:
    """Run a PostgreSQL program; the password is in its environment, which ps does not show."""
    parts = parse_dsn(address(settings))
    password = parts.pop("password", None)
    environ = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    command = [str(_program(settings, program)), f"--dbname={make_dsn(**parts)}", *options]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{program}: {done.stderr.strip()[-800:]}")


def _program(settings: Settings, name: str) -> Path:
    """The embedded program, or the system's for an external server, which may need TLS."""
    own = layout.postgres_folder() / name
    system = (
        shutil.which(name) if settings.database_url and "POSTGRES_BIN" not in os.environ else ""
    )
    return Path(system) if system else own


@contextmanager
def server(settings: Settings) -> Iterator[None]:
    """Run the embedded PostgreSQL during the block; an external one is only waited for."""
    if settings.database_url:
        postgres.wait_for(settings, SERVER_TIMEOUT)
        yield
        return
    configs.write_postgres(settings)
    postgres.prepare(settings)
    home = settings.sluice_home
    command = [str(layout.postgres_folder() / "postgres"), "-D", str(home / "postgres")]
    command += ["-c", f"config_file={home / 'etc' / 'postgresql.conf'}"]
    with (home / "log" / "postgres.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        postgres.wait_for(settings, SERVER_TIMEOUT)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(SERVER_TIMEOUT)
