"""Whether the database has the schema that this code needs.

It uses psycopg2 alone: gunicorn's main process asks before gevent patches its workers, and a
database object that exists before that would hang in them.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import psycopg2

from models.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"
CONNECT_TIMEOUT = 3  # seconds
RECHECK = 1.0  # seconds between two looks at a schema that is too old
log = logging.getLogger("sluice.schema")


def wait_for_schema(settings: Settings) -> None:
    """Wait while the database lacks migrations that this code needs.

    A process that ends between the arrival of new code and ``scripts/restart`` is started again
    with the new code, which would fail at the first column that it lacks. If PostgreSQL does not
    answer, nothing is known, and the process starts.
    """
    said = False
    try:
        while names := missing(settings):
            if not said:
                log.warning(
                    "the database lacks migration %s: waiting for scripts/restart or"
                    " scripts/migrate",
                    names[0],
                )
            said = True
            time.sleep(RECHECK)
    except psycopg2.Error as error:
        log.warning("the schema is not known: %s", str(error).strip())


def missing(settings: Settings) -> list[str]:
    """Names of the migrations that are not applied, in order. Raises psycopg2.Error."""
    connection = psycopg2.connect(settings.database, connect_timeout=CONNECT_TIMEOUT)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM schema_migration")
            applied = {name for (name,) in cursor.fetchall()}
    finally:
        connection.close()
    return sorted({path.stem for path in MIGRATIONS.glob("[0-9]*.py")} - applied)
