"""Storage of the media: where originals and thumbnails lie, and how they get there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from models.errors import TooLarge
from models.settings import Settings

ORIGINALS, THUMBNAILS = "originals", "thumbs"
HEAD_BYTES = 64 * 1024  # enough for type and size in any accepted format's header


class Storage:
    """A folder with a sub-folder a day, so that none grows without bound."""

    def __init__(self, settings: Settings) -> None:
        self.root = settings.media

    def original(self, key: str) -> Path:
        """The file of an original."""
        return self.root / ORIGINALS / key

    def thumbnail(self, key: str) -> Path:
        """The file of a thumbnail, which exists where the image's row says so."""
        return self.root / THUMBNAILS / f"{key}.webp"

    def heat(self, key: str) -> Path:
        """The file of a heatmap, which exists where the image's row says so."""
        return self.root / THUMBNAILS / f"{key}.heat.webp"

    def still(self, key: str, frame: int) -> Path:
        """The file of one frame of an animation; the image's row says which were drawn."""
        return self.root / THUMBNAILS / f"{key}.frame{frame}.webp"

    def new_key(self, image_id: UUID) -> str:
        """The key of a new image, in the folder of this day."""
        return f"{datetime.now(UTC):%Y-%m-%d}/{image_id}"

    def remove(self, key: str, *, animated: bool = True) -> None:
        """Remove an image's original and what was drawn from it, where they are.

        Only of an animated one are there stills, which a look into the folder finds.
        """
        self.original(key).unlink(missing_ok=True)
        self.thumbnail(key).unlink(missing_ok=True)
        self.heat(key).unlink(missing_ok=True)
        if not animated:
            return
        for path in self.thumbnail(key).parent.glob(f"{self.thumbnail(key).stem}.frame*.webp"):
            path.unlink(missing_ok=True)

    def originals_older_than(self, seconds: float) -> Iterator[str]:
        """Keys of originals that have been there for some time."""
        for path in _older(self.root / ORIGINALS, "*/*", seconds):
            yield f"{path.parent.name}/{path.name}"


def _older(folder: Path, pattern: str, seconds: float) -> Iterator[Path]:
    now = time.time()
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > seconds:
                yield path


class Upload:
    """An original that is written to its final place while it is hashed and measured.

    It is the multipart parser's target: ``write`` raises TooLarge past ``limit`` bytes, and
    ``finish`` returns once the bytes are on the disk.
    """

    def __init__(self, storage: Storage, image_id: UUID, limit: int, given_name: str = "") -> None:
        self.image_id, self.limit, self.given_name = image_id, limit, given_name
        self.key = storage.new_key(image_id)
        self.path = storage.original(self.key)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.size, self.head = 0, b""
        self.media_type = ""
        self.width: int | None = None
        self.height: int | None = None
        self._digest = hashlib.sha256()
        self._file: BinaryIO = self.path.open("xb")

    def write(self, data: bytes) -> int:
        """Take the next bytes; raises TooLarge."""
        self.size += len(data)
        if self.size > self.limit:
            raise TooLarge(f"An image has at most {self.limit / 1024 / 1024:g} MB.", field="images")
        if len(self.head) < HEAD_BYTES:
            self.head += data[: HEAD_BYTES - len(self.head)]
        self._digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Let others see the bytes so far."""
        self._file.flush()

    def finish(self) -> None:
        """Put the bytes onto the disk, so that they outlive a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Remove the file, whatever state it is in."""
        with contextlib.suppress(OSError):  # on a full disk the last bytes cannot be written
            self._file.close()
        self.path.unlink(missing_ok=True)

    @property
    def sha256(self) -> bytes:
        """The digest of what was written."""
        return self._digest.digest()

    # The multipart parser treats its target as a file.
    def seek(self, *_: int) -> int:
        """Nothing is read back through this object."""
        return 0

    def read(self, *_: int) -> bytes:
        """Nothing is read back through this object."""
        return b""

    def close(self) -> None:
        """Close the file; called by the request's end as well."""
        with contextlib.suppress(OSError):  # ``finish`` is what tells of bytes that were not kept
            self._file.close()


def sync_folder(path: Path) -> None:
    """Put a folder's entries onto the disk, so that a new file's name outlives a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
