"""The EXIF orientation, as browsers read it and as more lenient viewers may read it.

Browsers read the first block alone, and of it the first entry of type SHORT and count 1 whose value
is 1 to 8 (compared with Chromium 156). Other viewers take other types and later blocks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

_ORIENTATION, _SHORT = 0x0112, 3
MOST_ENTRIES = 512  # of a block; real ones have under a hundred
# Formats of the numeric types, BYTE to DOUBLE; a value of over 4 bytes stands elsewhere.
_TYPES = {
    1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B",
    8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I",
}  # fmt: skip


def orientation(blocks: Sequence[bytes]) -> int:
    """The orientation, 1 to 8, as browsers read these TIFF blocks."""
    for order, entry, _ in _entries(blocks[0]) if blocks else ():
        kind, count, value = struct.unpack_from(order + "HIH", entry, 2)
        if kind == _SHORT and count == 1 and 1 <= value <= 8:
            return int(value)
    return 1


def other_orientations(blocks: Sequence[bytes]) -> set[int]:
    """The orientations that more lenient viewers may read in any of the blocks."""
    found = (_lenient(*parts) for block in blocks for parts in _entries(block))
    return {turn for turn in found if 1 <= turn <= 8}


def _lenient(order: str, entry: bytes, block: bytes) -> int:
    kind, count = struct.unpack_from(order + "HI", entry, 2)
    layout = order + _TYPES.get(kind, "")
    size = struct.calcsize(layout)
    if not size or not count:
        return 0
    try:
        if size <= 4 and count * size <= 4:
            value = struct.unpack_from(layout, entry, 8)
        else:
            value = struct.unpack_from(layout, block, struct.unpack_from(order + "I", entry, 8)[0])
        number = value[0] / value[1] if len(value) == 2 else value[0]
        return int(number) if number == number and abs(number) < 100 else 0
    except (struct.error, ZeroDivisionError):
        return 0


def _entries(block: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """(byte order, the 12 bytes of the entry, the block) of each orientation in the first IFD."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 10:
        return
    (start,) = struct.unpack_from(order + "I", block, 4)
    if start + 2 > len(block):
        return
    (count,) = struct.unpack_from(order + "H", block, start)
    for number in range(min(count, MOST_ENTRIES)):
        entry = block[start + 2 + 12 * number : start + 14 + 12 * number]
        if len(entry) < 12:
            return
        if struct.unpack_from(order + "H", entry)[0] == _ORIENTATION:
            yield order, entry, block
