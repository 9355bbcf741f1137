"""``python -m models.migrate``: migrate the database to the newest schema.

It runs as the role that owns the tables and grants the application's role its rights. Only one
migration runs at a time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playhouse.migrations import Runner

from models.database import roles
from models.database.connection import connect, connection, db, parameters
from models.errors import SettingError
from models.rules import starter_list
from models.settings import Settings, use_settings

DIRECTORY = Path(__file__).parent / "migrations"
LOCK = 7_243_001  # advisory lock; the same number for every process that migrates


def migrate(application: str = "") -> list[str]:
    """Apply pending migrations, grant the application's role its rights, return the names.

    Several hosts may start at once, and the migration runner takes no lock. An advisory lock in
    PostgreSQL makes the second host wait; it then has nothing to do.
    """
    with connection():
        db.execute_sql("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            roles.check_owner()
            applied: list[str] = Runner(db.obj, str(DIRECTORY)).up()
            starter_list.seed_rules()
            roles.grant(application)
        finally:
            db.execute_sql("SELECT pg_advisory_unlock(%s)", (LOCK,))
    return applied


def pending() -> list[str]:
    """Names of the migrations not applied yet."""
    with connection():
        return [row.name for row in Runner(db.obj, str(DIRECTORY)).status() if not row.applied]


def main() -> None:
    """Migrate and print the applied names; an error is one line."""
    try:
        settings = use_settings(Settings.load())
        if settings.database_pooled and not settings.database_owner_url:
            raise SettingError(
                "DATABASE_POOLED requires a DATABASE_OWNER_URL that connects to PostgreSQL itself:"
                " migrations and backups need a session"
            )
        connect(settings, pool=1, owner=True)
        names = migrate(parameters(settings.database).get("user", ""))
    except SettingError as error:
        sys.exit(error.detail)
    for name in names:
        print(name)


if __name__ == "__main__":
    main()
