"""``python -m models.migrate``: migrate the database to the newest schema.

It runs as the role that owns the tables and grants the application's role its rights. Only one
migration runs at a time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import peewee
import psycopg2
from playhouse.migrations import Runner

from models.database import roles
from models.database.connection import connect, connection, db, one, parameters
from models.errors import SettingError
from models.policies.policy import adopt
from models.rules import starter_list
from models.settings import Settings, get_settings, use_settings

DIRECTORY = Path(__file__).parent / "migrations"
LOCK = 7_243_001  # advisory lock; the same number for every process that migrates


def migrate(application: str = "") -> list[str]:
    """Apply pending migrations, grant the application's role its rights, return the names.

    Several hosts may start at once, and the migration runner takes no lock. An advisory lock in
    PostgreSQL makes the second host wait; it then has nothing to do.
    """
    settings = get_settings()
    with connection():
        db.execute_sql("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            if not _is_installed():
                roles.check_schema()
            roles.check_owner()
            if pending():
                roles.check_schema()  # without this right, an owner can run what is installed
            elif newer():
                return []  # a later release granted its own rights
            with roles.granting_new(application):
                applied: list[str] = Runner(db.obj, str(DIRECTORY)).up()
                roles.grant(application)
            starter_list.seed_rules()
            adopt(settings.review_at, settings.reject_at, settings.sample_rate)
        finally:
            db.execute_sql("SELECT pg_advisory_unlock(%s)", (LOCK,))
    return applied


def _is_installed() -> bool:
    row = one("SELECT to_regclass('schema_migration') IS NOT NULL")
    return bool(row and row[0])


def pending() -> list[str]:
    """Names of the migrations not applied yet."""
    with connection():
        return [row.name for row in Runner(db.obj, str(DIRECTORY)).status() if not row.applied]


def newer() -> str:
    """A sentence if a later release has migrated this database; "" if not.

    Old code runs on the schema of the next release, so that a release can be taken back.
    """
    with connection():
        rows = Runner(db.obj, str(DIRECTORY)).status()
    unknown = [row.name for row in rows if row.path is None]
    if not unknown:
        return ""
    more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    return (
        f"the schema is newer than this code: a later release applied {unknown[0]}{more};"
        " nothing was changed, see docs/upgrade.md"
    )


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
        lines = migrate(parameters(settings.database).get("user", "")) or [newer()]
    except SettingError as error:
        sys.exit(error.detail)
    except (peewee.PeeweeException, psycopg2.Error) as error:
        sys.exit(f"PostgreSQL: {' '.join(str(error).split())}")
    for line in filter(None, lines):
        print(line)


if __name__ == "__main__":
    main()
