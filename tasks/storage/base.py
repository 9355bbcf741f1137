"""The interface of storage for the rest of Sluice: file names and operations.

An image's ``key`` is ``DAY/ID``, so that no folder grows without bound. Its files are named by
``original``, ``thumbnail``, ``heat`` and ``still``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from models.errors import Unavailable

if TYPE_CHECKING:
    from tasks.storage.upload import Upload

ORIGINALS, THUMBNAILS = "originals", "thumbs"
CHUNK = 256 * 1024


class StorageDown(Unavailable):
    """The storage does not answer, or refuses the request."""


def original(key: str) -> str:
    """The name of an original."""
    return f"{ORIGINALS}/{key}"


def thumbnail(key: str) -> str:
    """The name of a thumbnail, which exists if the image's row says so."""
    return f"{THUMBNAILS}/{key}.webp"


def heat(key: str) -> str:
    """The name of a heatmap, which exists if the image's row says so."""
    return f"{THUMBNAILS}/{key}.heat.webp"


def still(key: str, frame: int) -> str:
    """The name of one drawn frame of an animation; the image's row lists the drawn ones."""
    return f"{THUMBNAILS}/{key}.frame{frame}.webp"


def new_key(image_id: UUID) -> str:
    """The key of a new image, in today's folder."""
    return f"{datetime.now(UTC):%Y-%m-%d}/{image_id}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored file that is being read: its size in bytes, and its content in chunks."""

    size: int
    chunks: Iterator[bytes]


class Storage(ABC):
    """Named files. Any call may raise OSError (a folder) or StorageDown (a bucket)."""

    root: Path  # the folder of the files; for a bucket, of the uploads that are not there yet
    blocks: bool  # whether ``keep`` blocks the thread in the kernel, so that gevent cannot switch

    @abstractmethod
    def upload_path(self, key: str) -> Path:
        """The file to which the bytes of a new original are written as they arrive."""

    @abstractmethod
    def keep(self, uploads: Sequence[Upload]) -> None:
        """Return when the uploads' bytes would survive a power cut."""

    @abstractmethod
    def discard(self, upload: Upload) -> None:
        """Delete an upload in any state."""

    @abstractmethod
    def file(self, name: str) -> AbstractContextManager[Path]:
        """The file on this machine during the block; opening it may raise FileNotFoundError."""

    @abstractmethod
    def open(self, name: str) -> Stored:
        """Read a file; raises FileNotFoundError."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write a file; replaces an existing one."""

    @abstractmethod
    def remove_original(self, key: str) -> None:
        """Delete only an original, if it exists."""

    @abstractmethod
    def remove(self, key: str, *, animated: bool = True) -> None:
        """Delete an image's original and what was drawn from it, if they exist.

        Only animated images have stills, which need a listing of the folder.
        """

    @abstractmethod
    def originals_older_than(self, seconds: float) -> Iterator[str]:
        """Keys of originals that are older than this."""

    @abstractmethod
    def tidy(self, seconds: float) -> None:
        """Delete incomplete uploads of killed processes that are older than this."""

    @abstractmethod
    def check(self) -> str:
        """Its name if it answers; raises StorageDown, or SettingError if misconfigured."""
