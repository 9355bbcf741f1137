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
    """Make the data folder once; True when it was made now. A half-made one is made again."""
    data = settings.sluice_home / "postgres"
    if data.exists():
        _forget_dead_postmaster(data)
        return False
    fresh = settings.sluice_home / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(postgres_folder() / "initdb"), "--pgdata", str(fresh), *INITDB]
    environ = {**os.environ, "LANG": "C", "LC_ALL": "C"}
    made = subprocess.run(command, capture_output=True, text=True, env=environ)
    if made.returncode:
        raise Unavailable(f"initdb: {made.stderr.strip()[-500:]}")
    fresh.rename(data)
    return True


def _forget_dead_postmaster(data: Path) -> None:
    """Called when no process of this stack lives: its pid file may name a stranger by now."""
    (data / "postmaster.pid").unlink(missing_ok=True)


def wait_for(settings: Settings, seconds: float) -> None:
    """Wait until the application's database answers, making it first where it is embedded."""
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

    What an earlier version or a restore left to the application's role is handed to the owner.
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
