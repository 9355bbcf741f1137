"""AVIF files written box by box: any items, properties, references and colours of the stream."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from PIL import Image

from tests.support.hostile import encoded
from tests.support.odd_pictures import box

_ESSENTIAL = (b"av1C", b"irot", b"imir", b"clap")
_HANDLER = box(b"hdlr", bytes(8) + b"pict" + bytes(13))
SRGB_IN_STREAM = 1, 13  # what Pillow writes, with the matrix 6
ALPHA = box(b"auxC", bytes(4) + b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")


@dataclass(frozen=True)
class Item:
    """An item of a file; the first one has the number 1."""

    kind: bytes
    body: bytes
    properties: tuple[bytes, ...] = ()

    def having(self, *more: bytes) -> Item:
        """The item with more properties."""
        return replace(self, properties=(*self.properties, *more))

    def stating(self, primaries: int, transfer: int, matrix: int = 6) -> Item:
        """The item whose stream states these colours."""
        return replace(self, body=with_stream_colours(self.body, primaries, transfer, matrix))


def coded(image: Image.Image, **options: object) -> Item:
    """The picture as an item that says nothing about its colours, but in its stream."""
    options = {"quality": 95, "speed": 10, **options}
    data = encoded(image, "AVIF", **options)
    start = data.index(b"ispe") - 4
    av1c = data.index(b"av1C", start)
    after = av1c - 4 + int.from_bytes(data[av1c - 4 : av1c], "big")
    own = _split(data[start:after])
    return Item(b"av01", data[data.index(b"mdat") + 4 :], own)


def _split(data: bytes) -> tuple[bytes, ...]:
    parts, at = [], 0
    while at < len(data):
        end = at + int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at:end])
        at = end
    return tuple(parts)


def with_stream_colours(stream: bytes, primaries: int, transfer: int, matrix: int = 6) -> bytes:
    """The stream with other colours in its sequence header, which begins within 32 bytes."""
    head, width = int.from_bytes(stream[:32], "big"), 256
    wanted = int.from_bytes(bytes([*SRGB_IN_STREAM, 6]), "big")
    new = int.from_bytes(bytes([primaries, transfer, matrix]), "big")
    for shift in range(width - 24, 0, -1):
        if head >> shift & 0xFFFFFF == wanted:
            head ^= (wanted ^ new) << shift
            return head.to_bytes(32, "big") + stream[32:]
    raise ValueError("the stream has no sRGB colours")


def nclx(primaries: int, transfer: int, matrix: int = 6, full: int = 0x80) -> bytes:
    """A property of colours by code points."""
    return box(b"colr", b"nclx" + struct.pack(">HHHB", primaries, transfer, matrix, full))


def icc(profile: bytes) -> bytes:
    """A property of colours by an ICC profile."""
    return box(b"colr", b"prof" + profile)


def turn(angle: int) -> bytes:
    """A rotation by so many quarters against the clock."""
    return box(b"irot", bytes([angle]))


def mirror(axis: int) -> bytes:
    """A mirroring, top and bottom (0) or left and right (1)."""
    return box(b"imir", bytes([axis]))


def file_of(
    *items: Item,
    references: tuple[tuple[bytes, int, tuple[int, ...]], ...] = (),
    groups: bytes = b"",
    brand: bytes = b"avif",
    more_brands: bytes = b"",
) -> bytes:
    """A file whose primary item is the first; a reference is (kind, from, to)."""
    ftyp = box(b"ftyp", brand + bytes(4) + b"avifmif1miaf" + more_brands)
    refs = b"".join(
        box(kind, struct.pack(f">HH{len(to)}H", item, len(to), *to))
        for kind, item, to in references
    )
    rest = (
        box(b"iinf", bytes(4), struct.pack(">H", len(items)), *map(_entry, enumerate(items, 1))),
        box(b"iref", bytes(4), refs) if refs else b"",
        _properties(items),
        box(b"grpl", groups) if groups else b"",
    )
    meta = b""
    for _ in range(2):  # the offsets are known once the box has its length
        start = len(ftyp) + len(meta) + 8
        head = _HANDLER, box(b"pitm", bytes(4) + b"\0\1"), _locations(items, start)
        meta = box(b"meta", bytes(4), *head, *rest)
    return ftyp + meta + box(b"mdat", *(item.body for item in items))


def _entry(numbered: tuple[int, Item]) -> bytes:
    number, item = numbered
    return box(b"infe", b"\2\0\0\0", struct.pack(">HH", number, 0), item.kind, b"\0")


def _locations(items: tuple[Item, ...], start: int) -> bytes:
    body = b"\0\0\0\0\x44\0" + struct.pack(">H", len(items))
    for number, item in enumerate(items, 1):
        body += struct.pack(">HHHII", number, 0, 1, start, len(item.body))
        start += len(item.body)
    return box(b"iloc", body)


def _properties(items: tuple[Item, ...]) -> bytes:
    every = [each for item in items for each in item.properties]
    body, number = struct.pack(">II", 0, len(items)), 0
    for index, item in enumerate(items, 1):
        body += struct.pack(">HB", index, len(item.properties))
        for each in item.properties:
            number += 1
            body += bytes([number | 0x80 * (each[4:8] in _ESSENTIAL)])
    return box(b"iprp", box(b"ipco", *every), box(b"ipma", body))


def grid_of(
    left: Item, right: Item, size: tuple[int, int], *properties: bytes, **more: object
) -> bytes:
    """A grid of two pictures side by side, of this size as a whole."""
    body = struct.pack(">BBBBHH", 0, 0, 0, 1, *size)
    ispe = box(b"ispe", bytes(4) + struct.pack(">II", *size))
    pixi = next(each for each in left.properties if each[4:8] == b"pixi")
    grid = Item(b"grid", body, (ispe, pixi, *properties))
    return file_of(grid, left, right, references=((b"dimg", 1, (2, 3)),), **more)  # type: ignore[arg-type]


def with_gain_map(base: Item, gain: Item, *, base_is_bright: bool = False) -> bytes:
    """A picture and a gain map that makes it brighter, or less bright."""
    bright, plain = (4, 1), (0, 1)
    ends = (*bright, *plain) if base_is_bright else (*plain, *bright)
    channel = struct.pack(">iIiIIIiIiI", 0, 1, 2, 1, 1, 1, 1, 64, 1, 64)
    body = bytes(5) + b"\x40" + struct.pack(">4I", *ends) + channel
    kept = tuple(each for each in base.properties if each[4:8] not in (b"av1C", b"colr"))
    mapped = Item(b"tmap", body, kept).having(nclx(1, 13))
    group = box(b"altr", bytes(4), struct.pack(">IIII", 9, 2, 2, 1))
    return file_of(
        base,
        mapped,
        gain,
        references=((b"dimg", 2, (1, 3)),),
        groups=group,
        more_brands=b"tmap",
    )
