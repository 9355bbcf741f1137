"""The embedded PostgreSQL: its data folder, its roles and database, and whether it answers.

The application's role is identified by the system user of the socket's other end. The owner and the
superuser need a password from SLUICE_HOME/secrets, so that no connection of the application becomes
one of theirs. Only scripts read that file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
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
from tasks.servers.external_servers import check_database
from tasks.servers.layout import postgres_folder, write

OWNER, APPLICATION, SUPERUSER = "sluice_owner", "sluice", "postgres"
STAMP = "sluice-passwords"  # in the data folder: the digest of the password file that it knows
INITDB = ["--username=postgres", "--auth=reject", "--encoding=UTF8", "--locale-provider=builtin"]
INITDB += ["--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"]


def prepare(settings: Settings) -> bool:
    """Make the data folder if it is missing; True if it was made. An incomplete one is remade.

    The server must not run. It is started for one statement if it does not know the passwords.
    """
    made = _make_folder(settings)
    if not _knows_passwords(settings):
        _set_passwords_offline(settings)
    return made


def _make_folder(settings: Settings) -> bool:
    data = settings.sluice_home / "postgres"
    if data.exists():
        _remove_stale_pid_file(data)
        return False
    fresh = settings.sluice_home / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(postgres_folder() / "initdb"), "--pgdata", str(fresh), *INITDB]
    environ = {**os.environ, "LANG": "C", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    if done.returncode:
        raise Unavailable(f"initdb: {done.stderr.strip()[-500:]}")
    fresh.rename(data)
    return True


def _remove_stale_pid_file(data: Path) -> None:
    """Call it only if no process of this stack runs: the pid may be another process's by now."""
    (data / "postmaster.pid").unlink(missing_ok=True)


def protect(settings: Settings) -> None:
    """Give a running server of an earlier release its passwords, and let it ask for them.

    Raises Unavailable if it asks already, for a password that is not in the file.
    """
    if _knows_passwords(settings):
        return
    try:
        with _superuser(settings, "postgres") as cursor:
            cursor.execute(_passwords(settings))
            cursor.execute("SELECT pg_reload_conf()")
    except psycopg2.OperationalError as error:
        path = settings.database_passwords
        raise Unavailable(f"{path} is not PostgreSQL's: run scripts/down and scripts/up") from error
    _stamp(settings)


def _set_passwords_offline(settings: Settings) -> None:
    command = [str(postgres_folder() / "postgres"), "--single", "-D"]
    command += [str(settings.sluice_home / "postgres"), "-c", "log_statement=none", "postgres"]
    environ = {**os.environ, "LANG": "C", "LC_ALL": "C"}
    done = subprocess.run(
        command, input=_passwords(settings) + "\n", capture_output=True, text=True, env=environ
    )
    if done.returncode or "ERROR" in done.stderr:
        raise Unavailable(f"PostgreSQL does not take its passwords: {done.stderr.strip()[-500:]}")
    _stamp(settings)


def _knows_passwords(settings: Settings) -> bool:
    stamp = settings.sluice_home / "postgres" / STAMP
    return (
        settings.database_passwords.exists()
        and stamp.exists()
        and stamp.read_text("ascii") == _digest(settings)
    )


def _stamp(settings: Settings) -> None:
    write(settings.sluice_home / "postgres" / STAMP, _digest(settings))


def _digest(settings: Settings) -> str:
    return hashlib.sha256(settings.database_passwords.read_bytes()).hexdigest()


def _password(settings: Settings) -> str:
    """The password of the owner and the superuser, 64 hexadecimal characters; made once."""
    path = settings.database_passwords
    if not path.exists():
        password = secrets.token_hex(32)
        write(path, "".join(f"*:*:*:{role}:{password}\n" for role in (OWNER, SUPERUSER)))
    return path.read_text("ascii").split("\n")[0].rpartition(":")[2]


def _passwords(settings: Settings) -> str:
    """The statement, in one line, that sets the passwords of the roles that exist."""
    password = _password(settings)
    return (
        f"DO $$ BEGIN ALTER ROLE {SUPERUSER} PASSWORD '{password}';"  # nosec B608
        f" IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}')"
        f" THEN ALTER ROLE {OWNER} PASSWORD '{password}'; END IF; END $$"
    )


def wait_for(settings: Settings, seconds: float) -> None:
    """Wait until the application's database answers; an embedded one is made first.

    Raises Unavailable after ``seconds``; SettingError at once if the server refuses the login.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            _connect_once(settings)
            return
        except Unavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _connect_once(settings: Settings) -> None:
    if settings.database_url:
        check_database("DATABASE_URL", settings.database_url)
        return
    try:
        make_database(settings)
        psycopg2.connect(settings.database, connect_timeout=3).close()
    except psycopg2.OperationalError as error:
        text = " ".join(str(error).split())
        raise Unavailable(f"the embedded PostgreSQL does not answer: {text}") from error


def make_database(settings: Settings) -> None:
    """The two roles, neither a superuser, and the database, which the owner's role owns.

    Tables that an earlier version or a restore gave to the application's role get the owner.
    """
    with _superuser(settings, "postgres") as cursor:
        for role in (OWNER, APPLICATION):
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            if not cursor.rowcount:
                cursor.execute(f"CREATE ROLE {role} LOGIN")
                if role == OWNER:
                    cursor.execute(f"ALTER ROLE {OWNER} PASSWORD %s", (_password(settings),))
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


def superuser(settings: Settings, database: str) -> dict[str, str]:
    """The libpq parameters of the superuser."""
    passwords = str(settings.database_passwords)
    return {"host": str(settings.run), "user": SUPERUSER, "dbname": database, "passfile": passwords}


@contextmanager
def _superuser(settings: Settings, database: str) -> Iterator[Any]:
    connection = psycopg2.connect(**superuser(settings, database))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
