"""Pictures and films behind the end of a picture.

A signature alone may be chance, so that what follows must be the header of a whole picture.
"""

from __future__ import annotations

import re

from tasks.images.containers import boxes, gif, jpeg, png

MOST = 8  # further pictures of one file that are decoded
_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|....ftyp", re.DOTALL
)
_STILL_BRANDS = frozenset(
    {b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1", b"miaf"}
)
MOST_TRIED = 2000  # signatures of one file that are looked at
_PADDING = b"\x00\t\n\r \xff"


def find(data: bytes, start: int) -> tuple[list[tuple[int, int]], int]:
    """((start, end) of each picture from `start` on, bytes of films there)."""
    pictures: list[tuple[int, int]] = []
    film, at, tried = 0, start, 0
    while (match := _SIGNATURE.search(data, at)) and tried < MOST_TRIED:
        tried += 1
        begin = match.start()
        end, is_film = _end_of(data, begin)
        if is_film:
            film += end - begin
        elif end:
            pictures.append((begin, end))
        at = max(end, begin + 1)
    return pictures, film


def bare_bytes(data: bytes, start: int, pictures: list[tuple[int, int]]) -> int:
    """The number of bytes from `start` on outside these pictures, without padding."""
    count = 0
    for begin, end in [*pictures, (len(data), len(data))]:
        count += len(data[start:begin].strip(_PADDING))
        start = end
    return count


def _end_of(data: bytes, start: int) -> tuple[int, bool]:
    """(the end of the picture or film at `start`, or 0 if there is none; whether it is a film)."""
    head = data[start : start + 64]
    if head.startswith(b"\xff\xd8"):
        its = jpeg.parse(data, start)
        return (its.end if its.size and its.scans else 0), False
    if head.startswith(png.SIGNATURE):
        own = png.parse(data[start:])
        return (start + own.end if own and min(own.size) else 0), False
    if head.startswith(b"GIF8"):
        gif_file = gif.parse(data, start)
        is_one = gif_file and gif_file.frames and not gif_file.odd and min(gif_file.size)
        return (gif_file.end if gif_file and is_one else 0), False
    if head.startswith(b"RIFF"):
        end = start + 8 + int.from_bytes(head[4:8], "little")
        known = head[12:16] in (b"VP8 ", b"VP8L", b"VP8X")
        return (min(end, len(data)) if known else 0), False
    return _end_of_boxes(data, start)


def _end_of_boxes(data: bytes, start: int) -> tuple[int, bool]:
    try:
        found = list(boxes.boxes(data, start, len(data)))
    except OverflowError:
        return len(data), False  # it is opened, and doubted
    if len(found) < 2 or found[0][0] != b"ftyp":
        return 0, False
    foreign = [kind == b"ftyp" or not kind.isalnum() for kind, _, _ in found[1:]]
    found = found[: foreign.index(True) + 1 if True in foreign else None]
    names, end = [kind for kind, _, _ in found], found[-1][2]
    brands = {data[at : at + 4] for at in range(found[0][1], found[0][2], 4)}
    if brands & _STILL_BRANDS and b"meta" in names:
        return end, False
    return (end, True) if {b"moov", b"mdat"} & set(names) else (0, False)
