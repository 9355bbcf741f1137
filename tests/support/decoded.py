"""Decodes a picture's bytes in this process, without a decoder's child."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.images.decode import Limits, Picture, read


@contextmanager
def as_file(data: bytes) -> Iterator[int]:
    """A descriptor of an open file of these bytes, to read from its start."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


def decoded(data: bytes, **limits: int) -> Picture:
    """The picture, within the given limits. Raises `PictureError`."""
    with as_file(data) as file:
        return read(file, Limits(**limits))
