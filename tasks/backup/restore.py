"""``scripts/restore``: restores a backup from standard input into an empty SLUICE_HOME."""

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
from models.errors import Conflict, Invalid
from models.settings import Settings, use_settings
from models.settings.sources import FILE
from tasks.backup import archive, database
from tasks.servers import layout
from tasks.stack.console import one_line_errors
from tasks.stack.down import clear
from tasks.stack.steps import Step

NOT_RESTORED = """\
Not in a backup, and not restored:
  - uploads, decisions and changes after {at}
  - deletions and revocations after that: erase those authors and revoke those keys again
  - Redis: jobs are enqueued again from the rows, counters of limits start at zero
  - the record of webhooks sent after that: they are sent again, with the same webhook-id
  - media in a bucket
  - logs, and files outside SLUICE_HOME that settings name, such as certificates
"""
HELD = "No webhook is sent: sluice.env has HOLD_WEBHOOKS=on. Remove that line to send what is owed."
OWED = "Webhooks that were owed are sent when it starts; for a test, restore with --hold-webhooks."
# Settings that name something outside the folder, which a copy beside the original must not share.
SHARED = ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "ALERT_URLS")
COPY = """\
If the original still runs, this copy must not share its servers: before scripts/up, change
{names} in {file}.
"""


def main() -> None:
    """Restore or verify; an expected failure is one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="scripts/restore", add_help=False)
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--hold-webhooks", action="store_true")
    options = parser.parse_args()
    os.umask(0o077)
    with one_line_errors("restore", OSError, psycopg2.Error):
        if options.verify:
            verify(sys.stdin.buffer)
        else:
            restore(sys.stdin.buffer, hold_webhooks=options.hold_webhooks)


def restore(source: BinaryIO, *, hold_webhooks: bool = False) -> None:
    """Restore everything and compare it; after a failure the folder is empty again.

    ``hold_webhooks``: the restored server sends no webhook until a person changes that.
    """
    home = use_settings(Settings.load()).sluice_home
    if home.is_dir() and any(home.iterdir()):
        raise Conflict(f"{home} is not empty: set SLUICE_HOME to an empty folder")
    try:
        manifest = _read(source, lambda name: home / name)
        settings = _prepare(home)
        _load(settings, home / archive.DUMP, manifest)
        (home / archive.DUMP).unlink()
        if hold_webhooks:
            _hold_webhooks(home / FILE)
    except BaseException:
        _empty(home)
        raise
    print(
        f"\nRestored to {home}: scripts/up starts it.\n\n{NOT_RESTORED.format(at=manifest['at'])}"
    )
    print(HELD if hold_webhooks else OWED)
    shared = [name for name in SHARED if getattr(settings, name.lower())]
    if shared:
        print(COPY.format(names=", ".join(shared), file=home / FILE))


def _hold_webhooks(path: Path) -> None:
    """Set HOLD_WEBHOOKS in the restored settings."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if line.partition("=")[0].strip() != "HOLD_WEBHOOKS"]
    layout.write(path, "\n".join([*kept, "HOLD_WEBHOOKS=on", ""]))


def verify(source: BinaryIO) -> None:
    """Only check a backup: every file's SHA-256, and its rows in a temporary database."""
    with tempfile.TemporaryDirectory(prefix="sluice-verify.", dir="/tmp") as folder:  # nosec B108
        home = Path(folder)
        manifest = _read(source, lambda name: home / name if name == archive.DUMP else None)
        settings = Settings.load({"SLUICE_HOME": folder})
        _load(settings, home / archive.DUMP, manifest)
    print(f"\nComplete, of {manifest['at']}.")


def _read(source: BinaryIO, target: Callable[[str], Path | None]) -> dict[str, Any]:
    with Step("files") as step:
        manifest = archive.read(source, target, lambda count: step.note(f"{count:,}"))
        step.text = f"{manifest['files']:,} with their SHA-256"
    if manifest["wrong"]:
        print(f"  when it was made, {len(manifest['wrong'])} originals were missing or damaged")
    return manifest


def _prepare(home: Path) -> Settings:
    """The restored settings, after moving the media to where they say.

    Raises Conflict if a folder or database outside SLUICE_HOME that they name is not empty.
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
    """Restore the rows, and compare them with the checksums of the backup."""
    layout.make_folders(settings)
    try:
        with Step("database") as step, database.server(settings):
            database.restore(settings, dump)
            with database.snapshot(settings) as held:
                _compare(held.tables(), manifest["tables"])
            rows = sum(table["rows"] for table in manifest["tables"].values())
            step.text = f"{rows:,} rows of {len(manifest['tables'])} tables, identical"
            chain = _audit(settings)
            if chain.broken is not None or chain.head != manifest["audit_head"]:
                raise Invalid(f"the audit's chain is broken at row {chain.broken}")
        print(f"  audit        {chain.rows} rows, chain intact, head {chain.head[:16]}…")
    finally:
        clear(settings)


def _compare(restored: dict[str, Any], saved: dict[str, Any]) -> None:
    for name in sorted(set(restored) | set(saved)):
        if restored.get(name) != saved.get(name):
            raise Invalid(f"table {name}: restored {restored.get(name)}, saved {saved.get(name)}")


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
