"""JPEG files: their segments, and a bare file of what the pixels need.

It follows libjpeg, which browsers use: what libjpeg skips is left out, where libjpeg stops the file
ends. Sources: ITU-T T.81 annex B; jdmarker.c of libjpeg-turbo; CIPA DC-007 (MPF); Exif 3.0.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

SOI, EOI, SOS, COM = 0xD8, 0xD9, 0xDA, 0xFE
DHT, DQT, DNL, DRI, DAC = 0xC4, 0xDB, 0xDC, 0xDD, 0xCC
# 12 bits, lossless and hierarchical frames among these are refused by the decoder.
FRAMES = frozenset({*range(0xC0, 0xD0)} - {DHT, 0xC8, DAC})
_TABLES = frozenset({DHT, DQT, DRI, DAC})
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment, skipped by libjpeg
_APPS = range(0xE0, 0xF0)

# Only these end the data of a scan; `re` finds the first byte twenty times faster than a loop.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_ICC, _MPF, _EXIF = b"ICC_PROFILE\0", b"MPF\0", b"Exif\0"
MAX_SCANS = 100  # of a progressive JPEG; encoders write about 10, a decompression bomb thousands
_MOST_COMPONENTS = 4  # of a scan (T.81, B.2.3); libjpeg refuses one with more
MAX_PICTURES = 16  # of a multi-picture index that are followed


@dataclass(slots=True)
class JpegFile:
    """What a JPEG file holds. `end` is the offset behind it; `parts` are its bare bytes.

    `closed` is False without an end marker. `damaged` tells that markers are out of order. `exif`
    are the TIFF blocks of its EXIF segments, `other_exif` those behind the first scan's header,
    where browsers do not look.
    """

    end: int = 0
    size: tuple[int, int] | None = None
    scans: int = 0
    closed: bool = False
    damaged: bool = False
    exif: list[bytes] = field(default_factory=list)
    other_exif: list[bytes] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)  # offsets of further pictures by its index
    parts: list[bytes | memoryview] = field(default_factory=list)
    _icc: list[tuple[int, int, bytes]] = field(default_factory=list)
    _first_scan: int = 0  # the number of `parts` up to its end
    # Of each component, by how many bits each of its 64 coefficients is still shifted.
    _shifts: dict[int, list[int]] = field(default_factory=dict)

    def bare(self) -> bytes:
        """The file without what pixels do not need; it always has an end marker."""
        return b"".join([b"\xff\xd8", *self.parts, b"\xff\xd9"])

    def first_scan(self) -> bytes:
        """The bare file with its first scan alone."""
        return b"".join([b"\xff\xd8", *self.parts[: self._first_scan], b"\xff\xd9"])

    @property
    def lacks_scans(self) -> bool:
        """Whether scans are missing: a coefficient of a component was not sent in full."""
        return any(any(shifts) for shifts in self._shifts.values())

    @property
    def profile(self) -> bytes | None:
        """The ICC profile, from all of its segments; None if one is missing."""
        pieces = {number: body for number, _, body in reversed(self._icc)}  # the first of a number
        if {count for _, count, _ in self._icc} != {len(pieces)}:
            return None
        if sorted(pieces) != [*range(1, len(pieces) + 1)]:
            return None
        return b"".join(pieces[number] for number in sorted(pieces))


def parse(data: bytes, start: int = 0) -> JpegFile:
    """Parse the JPEG at `start`. Never raises: it ends where libjpeg would stop."""
    its, at = JpegFile(end=len(data)), start + 2
    view = memoryview(data)
    while True:
        found = _next_marker(data, at)
        if found is None:
            its.end = min(len(data), max(at, start + 2))
            return its
        marker, body = found
        if marker == EOI:
            its.closed, its.end = True, body
            return its
        if marker in _ALONE:
            at = body
            continue
        after = body + int.from_bytes(data[body : body + 2], "big")
        if after < body + 2 <= len(data) and (marker in _APPS or marker == COM):
            at = body + 2  # libjpeg skips an empty segment with an impossible length
            continue
        if not _is_segment(marker) or after < body + 2 or after > len(data):
            its.damaged, its.end = True, body - 2
            return its
        _take(its, marker, data[body + 2 : after], view[body - 2 : after], body + 2)
        at = after if marker != SOS else _take_scan(its, data, view, after)


def _next_marker(data: bytes, at: int) -> tuple[int, int] | None:
    """(marker, offset behind it) of the next one; bytes before it and fill bytes are skipped."""
    while (at := data.find(b"\xff", at)) >= 0:
        while at < len(data) and data[at] == 0xFF:
            at += 1
        if at >= len(data):
            return None
        if data[at]:
            return data[at], at + 1
    return None


def _is_segment(marker: int) -> bool:
    return marker in FRAMES or marker in _TABLES or marker in _APPS or marker in (SOS, COM, DNL)


def _take(its: JpegFile, marker: int, body: bytes, whole: memoryview, place: int) -> None:
    # Fill bytes may stand before the marker's code, so the segment is written anew.
    if marker in FRAMES:
        if its.size is None and len(body) >= 6:
            height, width = struct.unpack_from(">HH", body, 1)
            its.size = width, height
            its._shifts = {number: [14] * 64 for number in body[6 : 6 + 3 * body[5] : 3]}
        its.parts.append(_segment(marker, body))
    elif marker in _TABLES:
        its.parts.append(_segment(marker, body))
    elif marker == SOS:
        its.parts.append(_segment(marker, body))
        _note_scan(its, body)
    elif marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        its.parts.append(_segment(marker, body[:12] + b"\0\0"))  # without its thumbnail
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        its.parts.append(_segment(marker, body))
    elif marker == 0xE1 and body.startswith(_EXIF):
        (its.other_exif if its.scans else its.exif).append(body[6:])
    elif marker == 0xE2 and body.startswith(_ICC) and len(body) >= 14 and not its.scans:
        its._icc.append((body[12], body[13], body[14:]))
    elif marker == 0xE2 and body.startswith(_MPF) and not its.pictures:
        its.pictures = list(_mpf_offsets(body[4:], place + 4))


def _note_scan(its: JpegFile, header: bytes) -> None:
    if not header or len(header) < 4 + 2 * header[0]:
        return
    count = header[0]
    if count > _MOST_COMPONENTS or its.scans > MAX_SCANS:
        return  # the file is refused
    first, last, shift = header[1 + 2 * count : 4 + 2 * count]
    for number in header[1 : 1 + 2 * count : 2]:
        for at in range(first, min(last, 63) + 1):
            if number in its._shifts:
                its._shifts[number][at] = min(its._shifts[number][at], shift & 15)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _take_scan(its: JpegFile, data: bytes, view: memoryview, start: int) -> int:
    """Take a scan's data up to its end; returns the offset of the marker behind it."""
    match = _MARKER.search(data, start)
    end = match.start() if match else len(data)
    its.scans += 1
    its.parts.append(view[start:end])
    its._first_scan = its._first_scan or len(its.parts)
    return end


def _mpf_offsets(tiff: bytes, base: int) -> Iterator[int]:
    """Offsets in the file of the further pictures that a multi-picture index names."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return
    try:
        (ifd,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, ifd)
        for number in range(min(count, 32)):
            tag, _, size, place = struct.unpack_from(order + "HHII", tiff, ifd + 2 + 12 * number)
            if tag != 0xB002:
                continue
            for at in range(place + 16, place + min(size, 16 * MAX_PICTURES), 16):
                (offset,) = struct.unpack_from(order + "I", tiff, at + 8)
                if offset:
                    yield base + offset
    except struct.error:
        return
