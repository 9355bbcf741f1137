"""The database's part of a backup: one snapshot for the dump and for the checksums of its rows."""

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

PARTITIONS = 7_243_003  # the lock of keep_raw_days(), which makes and drops them
PATIENCE = 60.0  # seconds until a server that was started here answers
# Rows as text must not depend on a session's settings, nor on their order.
PLAIN = "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';"
PLAIN += " SET extra_float_digits = 1; SET bytea_output = 'hex'"
SUM = "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
KEYS = "SELECT storage_key, encode(sha256, 'hex') FROM image"
PICTURES = "SELECT picture FROM known_hash WHERE picture IS NOT NULL"


def address(settings: Settings) -> str:
    """The database as a libpq string, as whoever owns it: the embedded one's superuser."""
    if settings.database_url:
        return make_dsn(settings.database_owner)
    return make_dsn(host=str(settings.run), user="postgres", dbname="sluice")


class Snapshot:
    """One moment of the database, as a transaction of its own sees it."""

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()
        self._cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._cursor.execute(PLAIN)
        self._cursor.execute("SELECT pg_export_snapshot(), now()::text")
        self.name, self.at = self._cursor.fetchone()

    def tables(self) -> dict[str, dict[str, Any]]:
        """``rows`` and their ``sum`` of every table, whatever the order of the rows."""
        self._cursor.execute(TABLES)
        found = {}
        for (name,) in self._cursor.fetchall():
            self._cursor.execute(SQL(SUM + " FROM {} t").format(Identifier(name)))
            rows, total = self._cursor.fetchone()
            found[name] = {"rows": rows, "sum": total}
        return found

    def originals(self) -> dict[str, str]:
        """The originals that rows own: SHA-256 by key, nothing where the row does not say."""
        self._cursor.execute(PICTURES)
        found = {row[0]: "" for row in self._cursor.fetchall()}
        self._cursor.execute(KEYS)
        return {**found, **dict(self._cursor.fetchall())}

    def audit_head(self) -> str:
        """The last digest of the audit's chain."""
        self._cursor.execute("SELECT encode(digest, 'hex') FROM audit_head")
        return str(self._cursor.fetchone()[0])


@contextmanager
def snapshot(settings: Settings) -> Iterator[Snapshot]:
    """Hold a snapshot for the block; raises Unavailable where the database does not answer."""
    with closing(_connect(settings)) as connection:
        _keep_partitions(connection)
        yield Snapshot(connection)


def _keep_partitions(connection: Any) -> None:
    """Let no partition be dropped until this connection ends: a snapshot would list what is gone.

    The lock is had before the snapshot is taken. The standby comes again for what it may not drop.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", (PARTITIONS,))


def _connect(settings: Settings) -> Any:
    try:
        return psycopg2.connect(address(settings), connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise Unavailable(f"the database does not answer: {str(error).strip()}") from error


def dump(settings: Settings, held: Snapshot, path: Path) -> None:
    """Write what the snapshot sees to a file of pg_dump's own format."""
    options = ["--format=custom", "--compress=1", f"--snapshot={held.name}", f"--file={path}"]
    _run(settings, "pg_dump", [*options, "--no-sync"])


def restore(settings: Settings, path: Path) -> None:
    """Bring a dump into an empty database, all of it or nothing."""
    options = ["--exit-on-error", "--single-transaction"]
    options += ["--no-owner", "--no-acl"] if settings.database_url else []
    _run(settings, "pg_restore", [*options, str(path)])


def is_empty(settings: Settings) -> bool:
    """Whether there is no table yet."""
    with closing(_connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        return cursor.fetchone() is None


def _run(settings: Settings, program: str, options: list[str]) -> None:
    """Run one of PostgreSQL's programs; the password goes by its environment, which ps hides."""
    parts = parse_dsn(address(settings))
    password = parts.pop("password", None)
    environ = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    command = [str(_program(settings, program)), f"--dbname={make_dsn(**parts)}", *options]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{program}: {done.stderr.strip()[-800:]}")


def _program(settings: Settings, name: str) -> Path:
    """The embedded server's own, or the system's for a server outside, which may want TLS."""
    own = layout.postgres_folder() / name
    found = shutil.which(name) if settings.database_url and "POSTGRES_BIN" not in os.environ else ""
    return Path(found) if found else own


@contextmanager
def server(settings: Settings) -> Iterator[None]:
    """The embedded PostgreSQL alone, for the block; one that is given is only waited for."""
    if settings.database_url:
        postgres.wait_for(settings, PATIENCE)
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
        postgres.wait_for(settings, PATIENCE)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
