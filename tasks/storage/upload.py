"""An upload on its way into storage."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
from typing import Any, BinaryIO
from uuid import UUID

from models.errors import TooLarge
from tasks.storage.base import Storage, new_key

SYNC_FILE_RANGE_WRITE = 2  # of linux/fs.h
HEAD_BYTES = 64 * 1024  # enough for type and size in any accepted format's header


@functools.cache
def _sync_file_range() -> Any:
    """The C library's function of that name; None where it has none."""
    return getattr(ctypes.CDLL(None), "sync_file_range", None)


class Upload:
    """An original that is written to its place while it is hashed and measured.

    It is the multipart parser's target: ``write`` raises TooLarge past ``limit`` bytes. The bytes
    are kept by the storage's ``keep``.
    """

    def __init__(self, storage: Storage, image_id: UUID, limit: int, given_name: str = "") -> None:
        self.image_id, self.limit, self.given_name = image_id, limit, given_name
        self.storage, self.key = storage, new_key(image_id)
        self.path = storage.place(self.key)
        self.kept = False  # in a bucket
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.size, self.head = 0, b""
        self.media_type = ""
        self.width: int | None = None
        self.height: int | None = None
        self._digest = hashlib.sha256()
        self._error: OSError | None = None
        self._file: BinaryIO = self._open()

    def _open(self) -> BinaryIO:
        return self.path.open("xb")

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

    def begin(self) -> None:
        """Have the kernel begin to write the bytes, where it can be asked, and wait for nothing.

        Before one ``sync`` after another this makes them share one commit of the journal: a quarter
        of the time of the same without it, as fast as threads, and cheaper. Again is harmless.
        """
        if self._file.closed:
            return
        self._file.flush()
        sync_file_range = _sync_file_range()
        if sync_file_range is not None:
            whole = ctypes.c_int64(0), ctypes.c_int64(0)
            sync_file_range(self._file.fileno(), *whole, SYNC_FILE_RANGE_WRITE)

    def sync(self) -> None:
        """Put the bytes onto the disk, so that they outlive a power cut. Again is harmless."""
        if self._file.closed:
            return
        if self._error is not None:
            raise self._error
        self._file.flush()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:  # the kernel says it once: another fsync would be a false yes
            self._error = error
            raise
        self._file.close()

    def discard(self) -> None:
        """Remove it, whatever state it is in."""
        self.storage.discard(self)

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
        with contextlib.suppress(OSError):  # ``keep`` is what tells of bytes that were not kept
            self._file.close()
