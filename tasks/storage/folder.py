"""Storage in a folder with one sub-folder per day."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from models.settings import Settings
from tasks.storage.base import CHUNK, MediaUnwritable, Storage, Stored
from tasks.storage.names import ORIGINALS, heat, original, thumbnail
from tasks.storage.upload import Upload

log = logging.getLogger("sluice.storage")


class Folder(Storage):
    """Originals are written to their final path; fsync of file and folder makes them durable."""

    blocks = True

    def __init__(self, settings: Settings) -> None:
        self.root = settings.media

    def upload_path(self, key: str) -> Path:
        return self.root / ORIGINALS / key

    def keep(self, uploads: Sequence[Upload]) -> None:
        for upload in uploads:
            upload.begin()
        for upload in uploads:
            upload.sync()
        for folder in {upload.path.parent for upload in uploads}:
            _sync_folder(folder)

    def discard(self, upload: Upload) -> None:
        upload.close()
        try:
            upload.path.unlink(missing_ok=True)
        except OSError as error:  # the sweep deletes it when the folder can be written again
            log.warning("%s not deleted: %s", upload.path.name, error)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        yield self.root / name

    def open(self, name: str) -> Stored:
        file = (self.root / name).open("rb")
        return Stored(os.fstat(file.fileno()).st_size, _chunks(file))

    def write(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def remove_original(self, key: str) -> None:
        (self.root / original(key)).unlink(missing_ok=True)

    def remove(self, key: str, *, animated: bool = True) -> None:
        self.remove_original(key)
        drawn = self.root / thumbnail(key)
        drawn.unlink(missing_ok=True)
        (self.root / heat(key)).unlink(missing_ok=True)
        if not animated:
            return
        for path in drawn.parent.glob(f"{drawn.stem}.frame*.webp"):
            path.unlink(missing_ok=True)

    def originals_older_than(self, seconds: float) -> Iterator[str]:
        for path in older(self.root / ORIGINALS, "*/*", seconds):
            yield f"{path.parent.name}/{path.name}"

    def tidy(self, seconds: float) -> None:
        """Nothing to do: originals are written to their final path."""

    def check(self) -> str:
        folder = self.root / ORIGINALS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return "media folder"
        except OSError as error:
            raise MediaUnwritable(error) from error


def older(folder: Path, pattern: str, seconds: float) -> Iterator[Path]:
    """Files that have not changed for some time."""
    now = time.time()
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > seconds:
                yield path


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while data := file.read(CHUNK):
            yield data


def _sync_folder(path: Path) -> None:
    """Sync a folder's entries to disk, so that a new file's name survives a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
