"""Originals that nginx has already written to disk: a hard link puts them into storage."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from models.errors import Malformed, TooLarge, readable_size
from tasks.storage.upload import HEAD_BYTES, Destination, Upload

CHUNK = 1024 * 1024
FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # opening a FIFO must not block
ELSEWHERE = (
    errno.EXDEV,
    errno.EPERM,
    errno.EMLINK,
)  # errors of a file system without hard links: then it is copied


class HardLinkedUpload(Upload):
    """A file that is complete, as an upload; the caller calls ``hash``.

    Safe although the file's name belongs to another process:

    1. The file is checked after it has our own name.
    2. No symbolic link is followed.
    3. The other process may delete its name at any time.
    """

    def __init__(
        self, storage: Destination, image_id: UUID, limit: int, given_name: str, source: Path
    ) -> None:
        self._source = source
        super().__init__(storage, image_id, limit, given_name)
        self._measure()

    def _open(self) -> BinaryIO:
        try:
            os.link(self._source, self.path, follow_symlinks=False)
        except FileNotFoundError as error:
            raise Malformed("The body is gone: the request was aborted.") from error
        except OSError as error:
            if error.errno not in ELSEWHERE:
                raise
            self._copy()
        try:
            return _regular(self.path)
        except Malformed:
            self.path.unlink(missing_ok=True)
            raise

    def _copy(self) -> None:
        with _regular(self._source) as given, self.path.open("xb") as taken:
            shutil.copyfileobj(given, taken)

    def _measure(self) -> None:
        """Read its size and its first bytes; raises TooLarge."""
        self.size = os.fstat(self._file.fileno()).st_size
        if self.size > self.limit:
            self.discard()
            raise TooLarge(f"An image has at most {readable_size(self.limit)}.", field="images")
        self.head = os.pread(self._file.fileno(), HEAD_BYTES, 0)

    def hash(self) -> None:
        """Read the bytes for the digest, which is valid only afterwards."""
        while data := self._file.read(CHUNK):
            self._digest.update(data)


def _regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises Malformed for anything else, also a symbolic link."""
    try:
        file = os.open(path, FLAGS)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise Malformed("The body is not a file.") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Malformed("The body is not a file.")
    return os.fdopen(file, "rb")
