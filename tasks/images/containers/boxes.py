"""AVIF and HEIF files: the properties of the primary picture.

Source: ISO/IEC 14496-12 (boxes) and 23008-12 (properties). A decoder applies rotation and
mirroring; it leaves the crop (``clap``) and the colours to the viewer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

MOST_BOXES = 4096  # of one level that are looked at
_FULL = 4  # bytes of version and flags


@dataclass(slots=True)
class Properties:
    """What is said of the primary picture. `crop` is the body of its ``clap`` box."""

    profile: bytes | None = None
    code_points: tuple[int, int] | None = None  # primaries and transfer (ITU-T H.273)
    crop: bytes | None = None


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, end) of each box in a range, as far as they fit."""
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


def properties(data: bytes) -> Properties:
    """The properties of the primary picture; of a sequence without one, those of its track."""
    its = Properties()
    try:
        for kind, start, end in _of_primary(data):
            _take(its, kind, data[start:end])
    except struct.error:
        pass
    if its.profile is None and its.code_points is None:
        at = data.find(b"colr")
        if at > 0:
            _take(its, b"colr", data[at + 4 : at - 4 + int.from_bytes(data[at - 4 : at], "big")])
    return its


def _of_primary(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    meta = _first(data, 0, len(data), b"meta")
    if meta is None:
        return
    inside = meta[0] + _FULL, meta[1]
    pitm, iprp = _first(data, *inside, b"pitm"), _first(data, *inside, b"iprp")
    if pitm is None or iprp is None:
        return
    wide = data[pitm[0]] > 0
    (item,) = struct.unpack_from(">I" if wide else ">H", data, pitm[0] + _FULL)
    ipco = _first(data, *iprp, b"ipco")
    if ipco is None:
        return
    every = list(boxes(data, *ipco))
    for kind, start, _ in boxes(data, *iprp):
        if kind == b"ipma":
            for index in _associated(data, start, item):
                if 0 < index <= len(every):
                    yield every[index - 1]


def _associated(data: bytes, start: int, item: int) -> list[int]:
    """The numbers, from 1, of the properties that an ``ipma`` box gives to an item."""
    wide, large = data[start] > 0, data[start + 3] & 1
    (count,) = struct.unpack_from(">I", data, start + _FULL)
    at = start + _FULL + 4
    for _ in range(min(count, MOST_BOXES)):
        number, size = struct.unpack_from(">IB" if wide else ">HB", data, at)
        at += 5 if wide else 3
        if number == item:
            layout = f">{size}{'H' if large else 'B'}"
            mask = 0x7FFF if large else 0x7F
            return [entry & mask for entry in struct.unpack_from(layout, data, at)]
        at += size * (2 if large else 1)
    return []


def _first(data: bytes, start: int, end: int, wanted: bytes) -> tuple[int, int] | None:
    found = ((body, after) for kind, body, after in boxes(data, start, end) if kind == wanted)
    return next(found, None)


def _take(its: Properties, kind: bytes, body: bytes) -> None:
    if kind == b"clap" and its.crop is None:
        its.crop = body
    elif kind == b"colr" and body[:4] in (b"prof", b"rICC") and its.profile is None:
        its.profile = body[4:]
    elif kind == b"colr" and body[:4] == b"nclx" and its.code_points is None and len(body) >= 8:
        its.code_points = struct.unpack_from(">HH", body, 4)


def crop_box(clap: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The crop in pixels (left, top, right, bottom); None if browsers ignore it.

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
