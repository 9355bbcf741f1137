"""The embedded PostgreSQL: its data folder, its role and database, and whether a server answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg2

from models.errors import Unavailable
from models.settings import Settings
from tasks.stack.layout import postgres_folder

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
    """The application's role, which is no superuser, and its database."""
    connection = psycopg2.connect(host=str(settings.run), user="postgres", dbname="postgres")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'sluice'")
            if not cursor.fetchone():
                cursor.execute("CREATE ROLE sluice LOGIN")
                cursor.execute("GRANT pg_monitor TO sluice")
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'sluice'")
            if not cursor.fetchone():
                cursor.execute("CREATE DATABASE sluice OWNER sluice TEMPLATE template0")
    finally:
        connection.close()
