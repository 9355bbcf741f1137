"""``python -m models.migrate``: bring the database to the newest schema, once at a time."""

from __future__ import annotations

from pathlib import Path

from playhouse.migrations import Runner

from models import starter
from models.db import connect, connection, db
from models.settings import Settings

DIRECTORY = Path(__file__).parent / "migrations"
LOCK = 7_243_001  # any number, the same for every process that migrates


def migrate() -> list[str]:
    """Apply what is pending and return its names.

    Several hosts may start at once and the runner takes no lock: an advisory lock of PostgreSQL
    makes the second wait, and it then finds nothing to do.
    """
    with connection():
        db.execute_sql("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            applied: list[str] = Runner(db.obj, str(DIRECTORY)).up()
            starter.plant()
        finally:
            db.execute_sql("SELECT pg_advisory_unlock(%s)", (LOCK,))
    return applied


if __name__ == "__main__":
    connect(Settings.load(), pool=1)
    for name in migrate():
        print(name)
