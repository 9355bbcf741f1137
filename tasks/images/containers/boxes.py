"""The boxes of AVIF and HEIF files, and the properties of a picture in them.

Open ``items.py`` for a still picture, ``tracks.py`` for an animation. Sources: ISO/IEC 14496-12
(boxes) and 23008-12 (properties). A decoder applies rotation and mirroring; it leaves the crop
(``clap``) and the colours to the viewer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

MOST_BOXES = 4096  # of one level; real files have under a hundred
MOST_NUMBERS = 1 << 17  # that are read of one box, enough for 30,000 items
FULL = 4  # bytes of version and flags
KINDS = frozenset({b"clap", b"colr"})  # of the boxes that say how a picture is seen
Range = tuple[int, int]  # the start and the end of a body


@dataclass(slots=True)
class Properties:
    """What is said of a picture. `crop` is the body of its ``clap`` box.

    Only boxes of the types `KINDS` matter.
    """

    profile: bytes | None = None
    code_points: tuple[int, int] | None = None  # primaries and transfer (ITU-T H.273)
    crop: bytes | None = None

    def take(self, kind: bytes, body: bytes) -> None:
        """Add a property; the first one of a kind counts."""
        if kind == b"clap" and self.crop is None:
            self.crop = body
        elif kind == b"colr" and body[:4] in (b"prof", b"rICC") and self.profile is None:
            self.profile = body[4:]
        elif kind == b"colr" and body[:4] == b"nclx" and self.code_points is None:
            self.code_points = struct.unpack_from(">HH", body, 4) if len(body) >= 8 else None


class Numbers:
    """Reads big-endian numbers one after the other; `left` more may be read.

    Raises IndexError behind the end, and OverflowError after `MOST_NUMBERS`.
    """

    def __init__(self, data: bytes, start: int, end: int, left: int = MOST_NUMBERS) -> None:
        self._data, self._at, self._end = data, start, end
        self.left = left

    def read(self, size: int) -> int:
        """The next number of `size` bytes; 0 if that is 0."""
        after, self.left = self._at + size, self.left - 1
        if after > self._end:
            raise IndexError("a box is cut")
        if self.left < 0:
            raise OverflowError("a box has too many entries")
        value = int.from_bytes(self._data[self._at : after], "big")
        self._at = after
        return value


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, end) of each box in a range, as far as they fit.

    Raises OverflowError after `MOST_BOXES`.
    """
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if length == 1 and start + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        after = end if length == 0 else start + length
        if after < body or after > end:
            return
        yield kind, body, after
        start = after
    raise OverflowError("a file has too many boxes")


def first(data: bytes, where: Range | None, *path: bytes) -> Range | None:
    """The body of the first box of this path below a range; None if there is none."""
    for kind in path:
        if where is None:
            return None
        every = boxes(data, *where)
        where = next(((body, after) for its, body, after in every if its == kind), None)
    return where


def crop_box(clap: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The crop in pixels (left, top, right, bottom); None if every viewer ignores it.

    They do so if it is not of whole pixels or exceeds the picture.
    """
    try:
        width, height, x, y = (
            Fraction(*struct.unpack_from(layout, clap, at))
            for layout, at in ((">II", 0), (">II", 8), (">ii", 16), (">ii", 24))
        )
    except (struct.error, ZeroDivisionError):
        return None
    left, top = (size[0] - width) / 2 + x, (size[1] - height) / 2 + y
    edges = left, top, left + width, top + height
    if any(edge.denominator != 1 for edge in edges) or width < 1 or height < 1:
        return None
    if left < 0 or top < 0 or edges[2] > size[0] or edges[3] > size[1]:
        return None
    return int(left), int(top), int(edges[2]), int(edges[3])
