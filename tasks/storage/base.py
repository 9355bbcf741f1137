"""The interface of storage: what the rest of Sluice can do with stored files."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from models.errors import Unavailable
from tasks.storage.upload import Upload

CHUNK = 256 * 1024
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTDIR)


class StorageDown(Unavailable):
    """The storage does not answer, or refuses the request."""


class MediaUnwritable(StorageDown):
    """The media folder cannot be written."""

    def __init__(self, error: OSError) -> None:
        why = error.strerror or type(error).__name__
        super().__init__(f"The media folder cannot be written: {why}.", retry_after=30)


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
