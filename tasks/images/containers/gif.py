"""GIF files: their blocks. Source: the GIF89a specification."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


@dataclass(slots=True)
class GifFile:
    """The blocks of a GIF. `size` includes frames that exceed the screen.

    `odd` tells that there are bytes between the blocks. `cut` is the offset of the sub-block that
    is cut off, or of the end of a file that is cut between its blocks; 0 if it is whole.
    """

    size: tuple[int, int]
    end: int
    frames: int = 0
    closed: bool = True
    odd: bool = False
    cut: int = 0


def parse(data: bytes, start: int = 0) -> GifFile | None:
    """Parse the GIF at `start`; None if its header is cut. A cut file ends where its bytes end."""
    if start + 13 > len(data):
        return None
    width, height, flags = struct.unpack_from("<HHB", data, start + 6)
    its, at = GifFile((width, height), len(data)), start + 13 + _colour_table(flags)
    try:
        while (block := data[at]) != _TRAILER:
            if block == _IMAGE:
                left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
                its.size = max(its.size[0], left + wide), max(its.size[1], top + high)
                its.frames += 1
                at = _skip_sub_blocks(its, data, at + 11 + _colour_table(flags))
            elif block == _EXTENSION:
                at = _skip_sub_blocks(its, data, at + 2)
            else:  # Not a block: Pillow and browsers search for the next one byte by byte.
                its.odd = True
                at += 1
        its.end = at + 1
    except (IndexError, struct.error):
        its.closed = False
    return its


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_sub_blocks(its: GifFile, data: bytes, at: int) -> int:
    while size := data[at]:
        its.cut = at
        at += size + 1
        its.cut = its.cut if at > len(data) else min(at, len(data))
    its.cut = 0
    return at + 1
