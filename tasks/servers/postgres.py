"""The embedded PostgreSQL: its data folder, its roles and database, and whether it answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from models.errors import Unavailable
from models.settings import Settings
from tasks.servers.layout import postgres_folder

OWNER, APPLICATION = "sluice_owner", "sluice"
INITDB = ["--username=postgres", "--auth=reject", "--encoding=UTF8", "--locale-provider=builtin"]
INITDB += ["--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"]


def prepare(settings: Settings) -> bool:
    """Make the data folder if it is missing; True if it was made. An incomplete one is remade."""
    data = settings.sluice_home / "postgres"
    if data.exists():
        _remove_stale_pid_file(data)
        return False
    fresh = settings.sluice_home / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(postgres_folder() / "initdb"), "--pgdata", str(fresh), *INITDB]
    environ = {**os.environ, "LANG": "C", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    if done.returncode:
        raise Unavailable(f"initdb: {done.stderr.strip()[-500:]}")
    fresh.rename(data)
    return True


def _remove_stale_pid_file(data: Path) -> None:
    """Call it only if no process of this stack runs: the pid may be another process's by now."""
    (data / "postmaster.pid").unlink(missing_ok=True)


def wait_for(settings: Settings, seconds: float) -> None:
    """Wait until the application's database answers; an embedded one is made first."""
    end = time.monotonic() + seconds
    while True:
        try:
            if not settings.database_url:
                make_database(settings)
            psycopg2.connect(settings.database, connect_timeout=3).close()
            return
        except psycopg2.OperationalError as error:
            if time.monotonic() > end:
                raise Unavailable(f"PostgreSQL does not answer: {str(error).strip()}") from error
            time.sleep(0.05)


def make_database(settings: Settings) -> None:
    """The two roles, neither a superuser, and the database, which the owner's role owns.

    Tables that an earlier version or a restore gave to the application's role get the owner.
    """
    with _superuser(settings, "postgres") as cursor:
        for role in (OWNER, APPLICATION):
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            if not cursor.rowcount:
                cursor.execute(f"CREATE ROLE {role} LOGIN")
        cursor.execute(f"GRANT pg_monitor TO {APPLICATION}")
        cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sluice'")
        row = cursor.fetchone()
        if row is None:
            cursor.execute(f"CREATE DATABASE sluice OWNER {OWNER} TEMPLATE template0")
        elif row[0] != OWNER:
            cursor.execute(f"ALTER DATABASE sluice OWNER TO {OWNER}")
    with _superuser(settings, "sluice") as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_class WHERE relowner = %s::regrole LIMIT 1", (APPLICATION,)
        )
        if cursor.rowcount:
            cursor.execute(f"REASSIGN OWNED BY {APPLICATION} TO {OWNER}")


@contextmanager
def _superuser(settings: Settings, database: str) -> Iterator[Any]:
    connection = psycopg2.connect(host=str(settings.run), user="postgres", dbname=database)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
