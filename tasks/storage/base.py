"""What the rest of Sluice knows of storage: names, and what can be done with them.

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
    """The store does not answer, or refuses."""


def original(key: str) -> str:
    """The name of an original."""
    return f"{ORIGINALS}/{key}"


def thumbnail(key: str) -> str:
    """The name of a thumbnail, which exists where the image's row says so."""
    return f"{THUMBNAILS}/{key}.webp"


def heat(key: str) -> str:
    """The name of a heatmap, which exists where the image's row says so."""
    return f"{THUMBNAILS}/{key}.heat.webp"


def still(key: str, frame: int) -> str:
    """The name of one frame of an animation; the image's row says which were drawn."""
    return f"{THUMBNAILS}/{key}.frame{frame}.webp"


def new_key(image_id: UUID) -> str:
    """The key of a new image, in the folder of this day."""
    return f"{datetime.now(UTC):%Y-%m-%d}/{image_id}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored file that is being read: its bytes in all, and they themselves."""

    size: int
    chunks: Iterator[bytes]


class Storage(ABC):
    """A place of named files. Any call may raise OSError (a folder) or StorageDown (a bucket)."""

    root: Path  # folder of the files; of a bucket's, of what is on its way there
    blocks: bool  # whether ``keep`` holds the thread in the kernel, which gevent cannot turn from

    @abstractmethod
    def place(self, key: str) -> Path:
        """Where the bytes of a new original are written as they come."""

    @abstractmethod
    def keep(self, uploads: Sequence[Upload]) -> None:
        """Return once the uploads' bytes would outlive a power cut."""

    @abstractmethod
    def discard(self, upload: Upload) -> None:
        """Remove an upload, whatever state it is in."""

    @abstractmethod
    def file(self, name: str) -> AbstractContextManager[Path]:
        """The file on this machine for the block; opening it raises FileNotFoundError."""

    @abstractmethod
    def open(self, name: str) -> Stored:
        """Read a file; raises FileNotFoundError."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of an earlier one."""

    @abstractmethod
    def remove_original(self, key: str) -> None:
        """Remove an original alone, if it is there."""

    @abstractmethod
    def remove(self, key: str, *, animated: bool = True) -> None:
        """Remove an image's original and what was drawn from it, where they are.

        Only of an animated one are there stills, which a look into the folder finds.
        """

    @abstractmethod
    def originals_older_than(self, seconds: float) -> Iterator[str]:
        """Keys of originals that have been there for some time."""

    @abstractmethod
    def tidy(self, seconds: float) -> None:
        """Remove what a killed process left on its way, and is older than this."""

    @abstractmethod
    def check(self) -> str:
        """Whether it answers, in words; raises SettingError where it never will, StorageDown."""
