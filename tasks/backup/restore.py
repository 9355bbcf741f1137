"""``scripts/restore``: brings a backup, given as standard input, into an empty SLUICE_HOME."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import psycopg2

from models.audit import hash_chain
from models.database.connection import connect, connection, db
from models.errors import Conflict, Invalid, SluiceError
from models.settings import Settings, use_settings
from tasks.backup import archive, database
from tasks.servers import layout
from tasks.stack.console import Step, fail
from tasks.stack.down import clear

LOST = """\
Not in a backup, and not brought back:
  - uploads, decisions and changes after {at}
  - what was deleted or revoked after that is back: erase authors and revoke keys again
  - Redis: jobs are made anew from the rows, counters of limits begin at zero
  - webhooks sent after that are sent again, under the same webhook-id
  - media in a bucket, of which no backup holds any
  - logs, and whatever a setting names outside SLUICE_HOME, such as certificates
"""


def main() -> None:
    """Restore or verify; an expected failure is one line, and exit code 1."""
    parser = argparse.ArgumentParser(prog="scripts/restore", add_help=False)
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    os.umask(0o077)
    try:
        if options.verify:
            verify(sys.stdin.buffer)
        else:
            restore(sys.stdin.buffer)
    except SluiceError as error:
        raise fail(f"restore: {error.detail}") from error
    except psycopg2.Error as error:
        raise fail(f"restore: the database failed: {str(error).strip()}") from error
    except OSError as error:
        raise fail(f"restore: {error.strerror or error}") from error
    except KeyboardInterrupt as interrupt:
        raise fail("restore: interrupted", 130) from interrupt


def restore(source: BinaryIO) -> None:
    """Bring everything back, compare it, or leave the place as empty as it was."""
    home = use_settings(Settings.load()).sluice_home
    if home.is_dir() and any(home.iterdir()):
        raise Conflict(f"{home} is not empty: name an empty folder as SLUICE_HOME")
    try:
        manifest = _read(source, lambda name: home / name)
        settings = _settled(home)
        _load(settings, home / archive.DUMP, manifest)
        (home / archive.DUMP).unlink()
    except BaseException:
        _empty(home)
        raise
    print(f"\nRestored to {home}: scripts/up starts it.\n\n{LOST.format(at=manifest['at'])}")


def verify(source: BinaryIO) -> None:
    """Check a backup alone: every file's SHA-256, and its rows in a database of their own."""
    with tempfile.TemporaryDirectory(prefix="sluice-verify.", dir="/tmp") as folder:  # nosec B108
        home = Path(folder)
        manifest = _read(source, lambda name: home / name if name == archive.DUMP else None)
        settings = Settings.load({"SLUICE_HOME": folder})
        _load(settings, home / archive.DUMP, manifest)
    print(f"\nWhole, of {manifest['at']}.")


def _read(source: BinaryIO, place: Callable[[str], Path | None]) -> dict[str, Any]:
    with Step("files") as step:
        manifest = archive.read(source, place, lambda count: step.note(f"{count:,}"))
        step.text = f"{manifest['files']:,} with their SHA-256"
    if manifest["wrong"]:
        print(f"  when it was made, {len(manifest['wrong'])} originals were not as their rows say")
    return manifest


def _settled(home: Path) -> Settings:
    """The settings of the place, with its media where they are wanted.

    Raises Conflict where the settings name a place outside that holds something already.
    """
    settings = Settings.load({**os.environ, "SLUICE_HOME": str(home)})
    (home / "media").mkdir(exist_ok=True)
    if settings.media != home / "media":
        if settings.media.is_dir() and any(settings.media.iterdir()):
            raise Conflict(f"STORAGE_URL names {settings.media}, which is not empty")
        shutil.copytree(home / "media", settings.media, dirs_exist_ok=True)
        shutil.rmtree(home / "media")
    if settings.database_url and not database.is_empty(settings):
        raise Conflict("DATABASE_URL names a database that is not empty")
    return settings


def _load(settings: Settings, dump: Path, manifest: dict[str, Any]) -> None:
    """Bring the rows into the database, and compare them with those that were saved."""
    layout.make_folders(settings)
    try:
        with Step("database") as step, database.server(settings):
            database.restore(settings, dump)
            with database.snapshot(settings) as held:
                _compare(held.tables(), manifest["tables"])
            rows = sum(table["rows"] for table in manifest["tables"].values())
            step.text = f"{rows:,} rows of {len(manifest['tables'])} tables, the same"
            chain = _audit(settings)
            if chain.broken is not None or chain.head != manifest["audit_head"]:
                raise Invalid(f"the audit's chain is broken at row {chain.broken}")
        print(f"  audit        {chain.rows} rows, chain whole, head {chain.head[:16]}…")
    finally:
        clear(settings)


def _compare(there: dict[str, Any], said: dict[str, Any]) -> None:
    for name in sorted(set(there) | set(said)):
        if there.get(name) != said.get(name):
            raise Invalid(f"table {name}: {there.get(name)} is there, {said.get(name)} was saved")


def _audit(settings: Settings) -> hash_chain.Check:
    connect(settings, pool=1, owner=True)
    try:
        with connection():
            return hash_chain.check()
    finally:
        db.obj.close_all()


def _empty(home: Path) -> None:
    for path in home.iterdir() if home.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
