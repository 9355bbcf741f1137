"""The two roles in a PostgreSQL of one's own: parted where the owner has a URL, told if not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg2
import pytest

from tests.support.stack import ROOT, SCRIPTS, Stack


@pytest.fixture
def outside(stack: Stack) -> Iterator[Callable[[str], str]]:
    """A database as an operator would make it; answers its URL for a role."""
    name = f"outside_{uuid4().hex[:8]}"
    server = stack.connect("postgres", "postgres")
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        for role in ("sluice_owner", "sluice"):
            cursor.execute(f"GRANT ALL ON DATABASE {name} TO {role}")
    with stack.connect("postgres", name) as inside:
        inside.cursor().execute("GRANT ALL ON SCHEMA public TO sluice_owner, sluice")
    inside.close()
    yield lambda role: stack.database_url(role, name)
    with server.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()


def migrate(stack: Stack, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "models.migrate"],
        cwd=ROOT,
        env={**stack.env, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


def verify(stack: Stack, url: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "tasks.commands.audit", "verify", "--json"],
        cwd=ROOT,
        env={**stack.env, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_roles_are_parted(stack: Stack, outside: Callable[[str], str]) -> None:
    for _ in range(2):
        done = migrate(
            stack, DATABASE_URL=outside("sluice"), DATABASE_OWNER_URL=outside("sluice_owner")
        )
        assert done.returncode == 0, done.stderr
    told = verify(stack, outside("sluice"))
    assert (told["whole"], told["one_role"]) == (True, False)
    before = told["rows"]  # of the server's policy, which is taken over from the settings
    connection = psycopg2.connect(outside("sluice"))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO audit (action) VALUES ('test')")
        connection.commit()  # which links it
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM audit")
    connection.close()
    assert verify(stack, outside("sluice"))["rows"] == before + 1


NEW_TABLES = """
from models.database import connection, roles
from models.settings import Settings, use_settings
connection.connect(use_settings(Settings.load()), pool=1, owner=True)
told = []
with connection.connection():
    def right(table):
        sql = "SELECT has_table_privilege('sluice', %s, 'INSERT')"
        told.append(connection.one(sql, table)[0])
    with roles.granting_new("sluice"):
        connection.db.execute_sql("CREATE TABLE during (id bigint PRIMARY KEY)")
        right("during")
    connection.db.execute_sql("CREATE TABLE afterwards (id bigint PRIMARY KEY)")
    right("afterwards")
print(told)
"""


def test_a_table_of_a_migration_may_be_used_as_soon_as_it_is_there(
    stack: Stack, outside: Callable[[str], str]
) -> None:
    """A process that waited for the migration begins before all rights are granted anew."""
    urls = {"DATABASE_URL": outside("sluice"), "DATABASE_OWNER_URL": outside("sluice_owner")}
    done = subprocess.run(
        [sys.executable, "-c", NEW_TABLES],
        cwd=ROOT,
        env={**stack.env, **urls},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[True, False]"), done.stderr


def test_one_role_is_told(stack: Stack, outside: Callable[[str], str]) -> None:
    assert migrate(stack, DATABASE_URL=outside("sluice")).returncode == 0
    told = verify(stack, outside("sluice"))
    assert told["one_role"] and "own audit" in told["application_may"]  # type: ignore[operator]


def test_tables_of_another_role_are_handed_over_first(
    stack: Stack, outside: Callable[[str], str]
) -> None:
    assert migrate(stack, DATABASE_URL=outside("sluice")).returncode == 0
    done = migrate(
        stack, DATABASE_URL=outside("sluice"), DATABASE_OWNER_URL=outside("sluice_owner")
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith(
        "as a superuser, run REASSIGN OWNED BY sluice TO sluice_owner in this database"
    )
    assert "Traceback" not in done.stderr


def test_an_owner_alone_is_refused(stack: Stack, outside: Callable[[str], str]) -> None:
    done = migrate(stack, DATABASE_OWNER_URL=outside("sluice_owner"), DATABASE_URL="")
    assert done.returncode == 1 and "requires DATABASE_URL" in done.stderr
    assert (SCRIPTS / "audit").is_file()
