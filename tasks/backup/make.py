"""``scripts/backup``: writes a backup of the running stack to standard output."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import psycopg2

from models.errors import Unavailable
from models.settings import Settings, use_settings
from models.settings.urls import is_bucket
from tasks import storage as stores
from tasks.backup import database
from tasks.backup.archive import DUMP, Writer
from tasks.servers.layout import SECRETS
from tasks.stack.console import one_line_errors
from tasks.storage import ORIGINALS, THUMBNAILS, original

PARTS = ("sluice.env", "etc/scale.json")
INCOMPLETE = 4  # exit code: the backup is complete, but originals were already missing or damaged


def main() -> None:
    """Write a backup; an expected failure is one line and exit code 1. Messages go to stderr."""
    os.umask(0o077)
    with one_line_errors("backup", OSError, psycopg2.Error):
        if sys.stdout.isatty():
            raise Unavailable("standard output is a terminal: redirect it to a file")
        text, wrong = backup(use_settings(Settings.load()), sys.stdout.buffer)
    print(f"  {text}", file=sys.stderr)
    if wrong:
        what = f"{len(wrong)} originals are missing or differ from their rows"
        print(f"backup: made, but {what}, such as {wrong[0]}", file=sys.stderr)
        sys.exit(INCOMPLETE)


def backup(settings: Settings, target: BinaryIO) -> tuple[str, list[str]]:
    """Write a backup to a stream; returns its summary, and the originals that are wrong.

    1. The snapshot is taken first and the files are read after it. A row is committed after its
       files are on disk, so each row of the snapshot has its files.
    2. The dump and the checksums use the same snapshot; later writes are in neither.
    3. Only originals with a row in the snapshot are included: later uploads would be orphans.
    """
    writer = Writer(target)
    with tempfile.TemporaryDirectory(dir=settings.sluice_home / "tmp") as folder:
        with database.snapshot(settings) as held:
            dumped = Path(folder) / DUMP
            _print("the database")
            database.dump(settings, held, dumped)
            tables, owned, head = held.tables(), held.originals(), held.audit_head()
        writer.add_file(DUMP, dumped)
    for name, path in _of_home(settings):
        writer.add(name, path.read_bytes())
    wrong: list[str] = []
    if is_bucket(settings.storage_url):
        _print("without the media: they are in a bucket, which needs its own backup")
    else:
        _print(f"{len(owned)} originals with their thumbnails and heatmaps")
        wrong = _originals(settings, writer, owned)
        _thumbnails(settings, writer, owned)
    manifest = {"at": held.at, "tables": tables, "audit_head": head, "wrong": wrong}
    writer.finish(manifest)
    rows = sum(table["rows"] for table in tables.values())
    return f"{rows:,} rows, {len(writer.sums):,} files, {writer.bytes / 1e6:,.1f} MB", wrong


def _print(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _of_home(settings: Settings) -> Iterator[tuple[str, Path]]:
    home = settings.sluice_home
    for name in PARTS:
        if (home / name).is_file():
            yield name, home / name
    for name in SECRETS:
        if (settings.secrets / name).is_file():
            yield f"secrets/{name}", settings.secrets / name


def _originals(settings: Settings, writer: Writer, owned: dict[str, str]) -> list[str]:
    """Add the originals; returns the keys of those that are missing or differ from their rows.

    An original that was deleted with its row during the backup is not an error.
    """
    storage, wrong, gone = stores.of(settings), [], []
    for key, expected in owned.items():
        try:
            data = b"".join(storage.open(original(key)).chunks)
        except FileNotFoundError:
            gone.append(key)
            continue
        digest = writer.add(f"media/{ORIGINALS}/{key}", data)
        if expected and digest != expected:
            wrong.append(key)
    if gone:
        with database.snapshot(settings) as now:
            wrong += sorted(set(gone) & set(now.originals()))
    return wrong


def _thumbnails(settings: Settings, writer: Writer, owned: dict[str, str]) -> None:
    """Add the thumbnails and heatmaps; one that is being replaced can be drawn again."""
    folder = settings.media / THUMBNAILS
    for path in sorted(folder.glob("*/*")):
        name = path.relative_to(folder)
        if f"{name.parent}/{name.name.partition('.')[0]}" in owned:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            writer.add(f"media/{THUMBNAILS}/{name}", data)


if __name__ == "__main__":
    main()
