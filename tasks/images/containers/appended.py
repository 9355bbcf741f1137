"""Pictures and films behind the end of a picture.

A signature alone may be chance, so that what follows must be the header of a whole picture.
"""

from __future__ import annotations

import re
from typing import Literal

from tasks.images.containers import boxes, gif, jpeg, png

MOST = 8  # further pictures of one file that are decoded
_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|....ftyp", re.DOTALL
)
_STILL_BRANDS = frozenset(
    {b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1", b"miaf"}
)
ALLOWANCE = 1 << 16  # bytes of headers that begin no picture, in addition to those of the file
MOST_TRIED = 2000  # signatures of one file that are looked at
_Kind = Literal["picture", "film"]
_PADDING = b"\x00\t\n\r \xff"


def find(data: bytes, start: int) -> tuple[list[tuple[int, int]], int, bool]:
    """((start, end) of each picture from `start` on, bytes of films there, whether that is all).

    It is not all if more would have to be looked at. A byte can be part of many headers that begin
    no picture; together these may have the bytes from `start` on once more, and `ALLOWANCE`.
    """
    pictures: list[tuple[int, int]] = []
    film, at, tried, left = 0, start, 0, len(data) - start + ALLOWANCE
    while match := _SIGNATURE.search(data, at):
        tried += 1
        begin = match.start()
        if tried > MOST_TRIED or left < 0:
            return pictures, film, False
        kind, end = _end_of(data, begin)
        if kind is None:
            left -= end - begin
            at = begin + 1
            continue
        if kind == "film":
            film += end - begin
        else:
            pictures.append((begin, end))
        at = max(end, begin + 1)
    return pictures, film, True


def bare_bytes(data: bytes, start: int, pictures: list[tuple[int, int]]) -> int:
    """The number of bytes from `start` on outside these pictures, without padding."""
    count = 0
    for begin, end in [*pictures, (len(data), len(data))]:
        count += len(data[start:begin].strip(_PADDING))
        start = end
    return count


def _end_of(data: bytes, start: int) -> tuple[_Kind | None, int]:
    """(what is at `start`, None if it is neither; its end, or that of what was read of it)."""
    head = data[start : start + 64]
    if head.startswith(b"\xff\xd8"):
        its = jpeg.parse(data, start)
        return ("picture" if its.size and its.scans else None), its.end
    if head.startswith(png.SIGNATURE):
        own = png.parse(memoryview(data)[start:])  # without a copy of the rest of the file
        return ("picture" if own and min(own.size) else None), start + (own.end if own else 0)
    if head.startswith(b"GIF8"):
        gif_file = gif.parse(data, start)
        is_one = gif_file and gif_file.frames and not gif_file.odd and min(gif_file.size)
        return ("picture" if is_one else None), (gif_file.end if gif_file else start)
    if head.startswith(b"RIFF"):
        end = start + 8 + int.from_bytes(head[4:8], "little")
        known = head[12:16] in (b"VP8 ", b"VP8L", b"VP8X")
        return ("picture", min(end, len(data))) if known else (None, start)
    return _end_of_boxes(data, start)


def _end_of_boxes(data: bytes, start: int) -> tuple[_Kind | None, int]:
    try:
        found = list(boxes.boxes(data, start, len(data)))
    except OverflowError:
        return "picture", len(data)  # it is opened, and doubted
    if len(found) < 2 or found[0][0] != b"ftyp":
        return None, found[-1][2] if found else start
    foreign = [kind == b"ftyp" or not kind.isalnum() for kind, _, _ in found[1:]]
    read = found[-1][2]
    found = found[: foreign.index(True) + 1 if True in foreign else None]
    names, end = [kind for kind, _, _ in found], found[-1][2]
    brands = {data[at : at + 4] for at in range(found[0][1], found[0][2], 4)}
    if brands & _STILL_BRANDS and b"meta" in names:
        return "picture", end
    return ("film", end) if {b"moov", b"mdat"} & set(names) else (None, read)
