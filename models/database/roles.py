"""The database's two roles: the owner of the tables and the application, which has fewer rights.

The application reads and writes rows. It appends to the audit and to the decisions, but cannot
change or delete their rows, alter a table or disable a trigger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.sql import SQL, Identifier

from models.database.connection import db, one
from models.errors import SettingError

# The application's rights on tables where it has fewer than ALL.
RESTRICTED = {
    "audit": "SELECT, INSERT",
    "audit_chain": "SELECT",
    "audit_head": "SELECT",
    "decision": "SELECT, INSERT",
    "submission": "SELECT, INSERT, UPDATE",
    "schema_migration": "SELECT",
}
ALL = "SELECT, INSERT, UPDATE, DELETE"
GUARDED = ("audit", "audit_chain", "audit_head", "decision")
LOCK = 7_243_002


def check_schema() -> None:
    """Raises SettingError if this role may not create tables in the schema that it uses."""
    role, database, schema, may_create = one(
        "SELECT current_user, current_database(), current_schema(),"
        " has_schema_privilege(current_schema(), 'CREATE')"
    ) or ("", "", None, False)
    if not may_create:
        raise SettingError(
            f"the role {role} may not create tables in the schema {schema or 'public'} of the"
            f" database {database}: as a superuser, run GRANT ALL ON SCHEMA {schema or 'public'} TO"
            f" {role} in this database, or make {role} the database's owner"
        )


def check_owner() -> None:
    """Raises SettingError if another role owns the tables; they must be reassigned first."""
    row = one(
        "SELECT pg_get_userbyid(relowner), current_user FROM pg_class"
        " WHERE relname = 'audit' AND relnamespace = current_schema()::regnamespace"
        " AND NOT pg_has_role(relowner, 'USAGE')"
    )
    if row:
        raise SettingError(
            f"the tables belong to {row[0]}, and migrations run as {row[1]}: as a superuser, run"
            f" REASSIGN OWNED BY {row[0]} TO {row[1]} in this database"
        )


def grant(application: str) -> bool:
    """Grant the application's role exactly the rights it needs; False if it owns the tables.

    It is one transaction, so a running application never lacks a right. It is idempotent, so it
    also repairs rights that a restore has lost.
    """
    row = one("SELECT current_user")
    if not application or row == (application,):
        return False
    role = Identifier(application)
    with db.atomic():
        db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        _execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}", role)
        _execute("GRANT USAGE ON SCHEMA public TO {role}", role)
        _execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}", role)
        for (table,) in db.execute_sql(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v')"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall():
            rights = SQL(RESTRICTED.get(table, ALL))
            _execute("GRANT {rights} ON {table} TO {role}", role, rights=rights, table=table)
    return True


@contextmanager
def granting_new(application: str) -> Iterator[None]:
    """During the block the application's role may use each new table from its creation.

    Processes that waited for a migration begin when it is committed, which is before ``grant``.
    """
    row = one("SELECT current_user")
    if not application or row == (application,):
        yield
        return
    role = Identifier(application)
    change = "ALTER DEFAULT PRIVILEGES IN SCHEMA public "
    _execute(f"{change} GRANT {ALL} ON TABLES TO {{role}}", role)
    _execute(f"{change} GRANT USAGE ON SEQUENCES TO {{role}}", role)
    try:
        yield
    finally:
        _execute(f"{change} REVOKE {ALL} ON TABLES FROM {{role}}", role)
        _execute(f"{change} REVOKE USAGE ON SEQUENCES FROM {{role}}", role)


def excess() -> list[str]:
    """This role's rights on the audit and decisions beyond the application's needs, in words.

    Empty if owner and application are separate roles.
    """
    rows = db.execute_sql(
        "SELECT relname, pg_has_role(relowner, 'USAGE'),"
        " has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE'),"
        " has_table_privilege(c.oid, 'TRUNCATE')"
        " FROM pg_class c WHERE relname = ANY(%s) AND relnamespace = current_schema()::regnamespace"
        " ORDER BY relname",
        (list(GUARDED),),
    ).fetchall()
    words = ("own", "update", "delete from", "truncate")
    return [
        f"{word} {row[0]}" for row in rows for word, may in zip(words, row[1:], strict=True) if may
    ]


def _execute(command: str, role: Identifier, **parts: object) -> None:
    named = {
        name: Identifier(part) if isinstance(part, str) else part for name, part in parts.items()
    }
    db.execute_sql(SQL(command).format(role=role, **named).as_string(db.connection()))
