"""PNG files: their chunks, and a bare file of what the pixels need.

Browsers ignore an ancillary chunk that is broken (checksum, length, method), and show a file
without its end. Source: the PNG specification, third edition.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PALETTE = 3  # the colour type of a picture with a palette
_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT"})
_DATA = frozenset({b"IDAT", b"fdAT"})
_COLOUR = frozenset({b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP"})
_PIECE = 1 << 16  # bytes of compressed data that are uncompressed at a time
# x and y of the first pixel of each pass, then the steps (PNG specification, 8.1).
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip


@dataclass(slots=True)
class PngFile:
    """What a PNG file holds. `end` is the offset behind it; `parts` are the chunks of its pixels.

    `closed` is False without an end chunk. `damaged` tells that data of the pixels are broken or
    cut. `about` has the body of the first sound chunk of each kind about colour before the pixels.
    `exif` are the EXIF blocks before the pixels, `other_exif` those elsewhere or broken.
    """

    end: int = 0
    size: tuple[int, int] = (0, 0)
    depth: int = 8
    colour: int = 0
    closed: bool = False
    damaged: bool = False
    has_palette: bool = False
    about: dict[bytes, bytes] = field(default_factory=dict)
    exif: list[bytes] = field(default_factory=list)
    other_exif: list[bytes] = field(default_factory=list)
    parts: list[tuple[bytes, memoryview, bool]] = field(default_factory=list)

    def bare(self) -> bytes:
        """The file without what pixels do not need, with sound checksums and an end."""
        return b"".join([SIGNATURE, *self._written(), _chunk(b"IEND", b"")])

    def _written(self) -> Iterator[bytes]:
        for kind, body, _ in self.parts:
            yield _chunk(kind, body)


def _chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
    return b"".join((struct.pack(">I", len(body)), kind, body, checksum))


def parse(data: bytes | memoryview) -> PngFile | None:
    """Parse the PNG at byte 0; None if its header is broken, so that nobody shows it."""
    its, view, at = PngFile(end=len(data)), memoryview(data), len(SIGNATURE)
    if data[12:16] != b"IHDR" or len(data) < 33 or data[8:12] != b"\0\0\0\x0d":
        return None
    *size, its.depth, its.colour = struct.unpack_from(">IIBB", data, 16)
    its.size = (size[0], size[1])
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = view[at + 8 : at + 8 + length]
        after = at + 12 + length
        if kind == b"IEND":
            its.closed, its.end = True, min(after, len(data))
            return its
        if not kind.isalpha():
            its.damaged, its.end = True, at
            return its
        sound = after <= len(data) and data[after - 4 : after] == struct.pack(
            ">I", zlib.crc32(view[at + 4 : after - 4])
        )
        _take(its, kind, body, sound)
        at = after
    return its


def _take(its: PngFile, kind: bytes, body: memoryview, sound: bool) -> None:
    started = bool(its.parts) and its.parts[-1][0] in _DATA
    if kind == b"eXIf":
        block = bytes(body)
        at_its_place = sound and not started and not block.startswith(b"Exif")
        (its.exif if at_its_place else its.other_exif).append(block.removeprefix(b"Exif\0\0"))
    elif kind in _COLOUR and sound and not started:
        its.about.setdefault(kind, bytes(body))
    elif kind in _PIXELS and (sound or kind != b"tRNS"):  # without tRNS the picture is opaque
        its.damaged = its.damaged or not sound
        its.has_palette = its.has_palette or kind == b"PLTE"
        its.parts.append((kind, body, sound))


def _length_before_error(inflate: Any, rest: bytes | memoryview) -> int:
    """How many bytes can still be uncompressed; zlib gives nothing of a call that fails."""
    length = 0
    try:
        while rest:
            length += len(inflate.decompress(rest, 64))
            rest = inflate.unconsumed_tail
    except zlib.error:
        pass
    return length


@dataclass(frozen=True, slots=True)
class PngFrame:
    """The compressed rows of one frame, and their uncompressed size by the header."""

    claimed: int
    parts: list[memoryview]

    def missing(self) -> int:
        """How many bytes of the `claimed` ones cannot be uncompressed."""
        missing, inflate = self.claimed, zlib.decompressobj()
        for rest in self._pieces():
            while rest and missing > 0 and not inflate.eof:
                before = inflate.copy()
                try:
                    missing -= len(inflate.decompress(rest, 1 << 20))
                except zlib.error:
                    return max(1, missing - _length_before_error(before, rest))
                rest = inflate.unconsumed_tail
        return max(0, missing)

    def _pieces(self) -> Iterator[bytes | memoryview]:
        """The data in short pieces, because zlib copies what it has not read yet."""
        for part in self.parts:
            for at in range(0, len(part), _PIECE):
                yield part[at : at + _PIECE]


def frames(data: bytes) -> list[PngFrame]:
    """The frames of a bare PNG in Pillow's order: the default image first."""
    at, found, view = 8, [PngFrame(_raw_size(data, 16), [])], memoryview(data)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if kind == b"fcTL" and found[0].parts:  # one before the default image belongs to that image
            found.append(PngFrame(_raw_size(data, body + 4), []))
        elif kind == b"IDAT":
            found[0].parts.append(view[body : body + length])
        elif kind == b"fdAT":
            found[-1].parts.append(view[body + 4 : body + length])
        at = body + length + 4
    return found


def _raw_size(data: bytes, at: int) -> int:
    """Uncompressed bytes of a frame whose width and height are at `at`; rows have a filter byte."""
    size = struct.unpack_from(">II", data, at)
    depth, colour, interlaced = data[24], data[25], data[28]
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        width, height = -(-(size[0] - left) // across), -(-(size[1] - top) // down)
        if width > 0 and height > 0:
            total += height * (1 + (width * bits + 7) // 8)
    return total
