"""Prepares the database for processes that are started one by one.

``python -m tasks.stack.migrate`` makes the secrets unless they are given, and applies migrations.
``--wait`` waits until another host has applied them.
"""

from __future__ import annotations

import argparse
import os
import time

import peewee

from models import migrate
from models.database.connection import connect, parameters
from models.errors import SettingError, Unavailable
from models.settings import Settings
from tasks.servers import layout, postgres
from tasks.stack.console import checked_settings, one_line_errors

POSTGRES_TIMEOUT = 120.0  # seconds for PostgreSQL to answer
UP_TO_DATE = "the schema is up to date"
SCHEMA_TIMEOUT = 600.0  # seconds for the migrations of another host


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/migrate")
    parser.add_argument("--wait", action="store_true")
    options = parser.parse_args()
    os.umask(0o077)
    with one_line_errors("migrate", peewee.PeeweeException):
        settings = checked_settings()
        if not settings.database_url:
            raise SettingError("DATABASE_URL is required; scripts/up migrates its own database")
        layout.make_folders(settings)
        layout.make_secrets(settings)
        postgres.wait_for(settings, POSTGRES_TIMEOUT)
        print(wait(settings) if options.wait else apply(settings))


def apply(settings: Settings) -> str:
    """Apply pending migrations; safe on several hosts at once."""
    connect(settings, pool=1, owner=True)
    done = migrate.migrate(parameters(settings.database).get("user", ""))
    return "\n".join(done) or migrate.newer() or UP_TO_DATE


def wait(settings: Settings) -> str:
    """Wait for the schema; raises Unavailable if it is not migrated in time."""
    connect(settings, pool=1)
    end = time.monotonic() + SCHEMA_TIMEOUT
    while missing := _missing():
        if time.monotonic() > end:
            raise Unavailable(f"{missing}: run scripts/migrate")
        time.sleep(0.5)
    return migrate.newer() or UP_TO_DATE


def _missing() -> str:
    """What is missing, in words; "" if nothing is."""
    try:
        pending = migrate.pending()
    except peewee.DatabaseError as error:  # rights are granted last; or the server restarts
        return str(error).strip()
    return f"migration {pending[0]} is not applied" if pending else ""


if __name__ == "__main__":
    main()
