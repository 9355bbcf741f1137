"""Makes a database ready for processes that are started one by one.

``python -m tasks.stack.migrate``: secrets, where they are not given, and the newest schema.
``--wait``: until somebody else has brought the schema to what this version knows.
"""

from __future__ import annotations

import argparse
import os
import time

import peewee

from models import migrate
from models.database.connection import connect, parameters
from models.errors import SettingError, SluiceError, Unavailable
from models.settings import Settings, use_settings
from tasks.servers import layout, postgres
from tasks.stack.console import fail

PATIENCE = 120.0  # seconds for PostgreSQL to answer
WAIT = 600.0  # seconds for somebody else's migrations


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/migrate")
    parser.add_argument("--wait", action="store_true")
    options = parser.parse_args()
    os.umask(0o077)
    try:
        settings = use_settings(Settings.load())
        if not settings.database_url:
            raise SettingError("DATABASE_URL must be given: scripts/up migrates its own database")
        layout.make_folders(settings)
        layout.make_secrets(settings)
        postgres.wait_for(settings, PATIENCE)
        print(wait(settings) if options.wait else apply(settings))
    except (SluiceError, peewee.PeeweeException) as error:
        raise fail(f"migrate: {getattr(error, 'detail', error)}") from error


def apply(settings: Settings) -> str:
    """Apply what is pending; safe on several hosts at once."""
    connect(settings, pool=1, owner=True)
    done = migrate.migrate(parameters(settings.database).get("user", ""))
    return "\n".join(done) or "the schema is the newest"


def wait(settings: Settings) -> str:
    """Wait for the schema; raises Unavailable where nobody brings it."""
    connect(settings, pool=1)
    end = time.monotonic() + WAIT
    while lacking := _lacking():
        if time.monotonic() > end:
            raise Unavailable(f"still {lacking}: run scripts/migrate")
        time.sleep(0.5)
    return "the schema is the newest"


def _lacking() -> str:
    """What is to be waited for; nothing where all is there."""
    try:
        pending = migrate.pending()
    except peewee.DatabaseError as error:  # rights are given last; or the server starts anew
        return str(error).strip()
    return f"without {pending[0]}" if pending else ""


if __name__ == "__main__":
    main()
