"""GIFs as encoders write them and as they should not: random animations, odd frames and blocks."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.support.rendering.corpus import Case, kind

Colour = tuple[int, int, int]
TRAILER = b";"


@dataclass(frozen=True)
class GifPart:
    """One frame of a GIF that is written block by block. Coordinates in pixels."""

    left: int
    top: int
    width: int
    height: int
    pixels: bytes  # indexes of colours
    colours: tuple[Colour, ...] = ()  # a local table, if any
    transparent: int | None = None
    disposal: int = 0
    delay: int = 10  # hundredths of a second
    interlaced: bool = False
    before: bytes = b""  # blocks between the graphic control extension and the image

    def data(self) -> bytes:
        shown = 0 if self.transparent is None else 1
        flags = self.disposal << 2 | shown
        control = struct.pack("<4BHBB", 0x21, 0xF9, 4, flags, self.delay, self.transparent or 0, 0)
        flags = (0x80 | _bits(self.colours) - 1 if self.colours else 0) | self.interlaced << 6
        box = struct.pack("<BHHHHB", 0x2C, self.left, self.top, self.width, self.height, flags)
        return control + self.before + box + table(self.colours) + lzw(self.pixels)


def gif_of(
    width: int,
    height: int,
    parts: list[GifPart],
    colours: tuple[Colour, ...] = (),
    *,
    background: int = 0,
    end: bytes = TRAILER,
) -> bytes:
    """A GIF with a global colour table that plays once."""
    flags = 0x80 | _bits(colours) - 1 if colours else 0
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, flags, background, 0) + table(colours)
    return head + b"".join(part.data() for part in parts) + end


def table(colours: tuple[Colour, ...]) -> bytes:
    """The colours as bytes, filled up to a power of two."""
    if not colours:
        return b""
    return b"".join(map(bytes, colours)).ljust(3 << _bits(colours), b"\x00")


def _bits(colours: tuple[Colour, ...]) -> int:
    return max(1, (len(colours) - 1).bit_length())


def lzw(pixels: bytes) -> bytes:
    """Image data of 8 bits a pixel that are not compressed: the table never grows past 9 bits."""
    bits, count = 0, 0
    for at, pixel in enumerate(pixels):
        if at % 250 == 0:
            bits, count = bits | 256 << count, count + 9
        bits, count = bits | pixel << count, count + 9
    bits, count = bits | 257 << count, count + 9
    packed = bits.to_bytes((count + 7) // 8, "little")
    blocks = [packed[at : at + 255] for at in range(0, len(packed), 255)]
    return b"\x08" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\x00"


def colours_of(chance: random.Random, count: int) -> tuple[Colour, ...]:
    made = [tuple(chance.choice((0, 40, 90, 160, 220, 255)) for _ in "rgb") for _ in range(count)]
    return tuple(made)  # type: ignore[arg-type]


def pixels_of(chance: random.Random, width: int, height: int, count: int) -> bytes:
    """Blocks of 4 x 4 pixels of random indexes below `count`."""
    rows = []
    for _ in range(0, height, 4):
        row = b"".join(bytes([chance.randrange(count)]) * 4 for _ in range(0, width, 4))
        rows += [row[:width]] * 4
    return b"".join(rows[:height])


def _random_part(chance: random.Random, width: int, height: int) -> GifPart:
    wide, high = chance.randint(1, width + 8), chance.randint(1, height + 8)
    count = chance.choice((2, 4, 8, 16))
    local = colours_of(chance, count) if chance.random() < 0.4 else ()
    return GifPart(
        chance.randrange(width),
        chance.randrange(height),
        wide,
        high,
        pixels_of(chance, wide, high, count if local else 8),
        local,
        transparent=chance.choice((None, 0, 1, 3)),
        disposal=chance.choice((0, 1, 1, 2, 2, 3, 3, 4, 5, 7)),
        interlaced=chance.random() < 0.2,
    )


@kind("GIF animations, random", seeded=True)
def random_gifs(chance: random.Random) -> Iterator[Case]:
    width, height = chance.randint(24, 72), chance.randint(24, 72)
    parts = [_random_part(chance, width, height) for _ in range(chance.randint(2, 7))]
    if chance.random() < 0.5:  # most encoders begin with the whole canvas
        pixels = pixels_of(chance, width, height, 8)
        parts[0] = replace(parts[0], left=0, top=0, width=width, height=height, pixels=pixels)
    data = gif_of(width, height, parts, colours_of(chance, 8), background=chance.randrange(8))
    yield Case(f"gif {chance.random():.6f}", data)


WIDTH, HEIGHT = 48, 32
FOUR: tuple[Colour, ...] = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (240, 240, 240))
_WHOLE = GifPart(0, 0, WIDTH, HEIGHT, b"")


def whole(colour: int, **more: object) -> GifPart:
    """A frame of one colour on the whole canvas."""
    return replace(_WHOLE, pixels=bytes([colour]) * (WIDTH * HEIGHT), **more)  # type: ignore[arg-type]


def part(left: int, top: int, width: int, height: int, colour: int, **more: object) -> GifPart:
    made = GifPart(left, top, width, height, bytes([colour]) * (width * height))
    return replace(made, **more)  # type: ignore[arg-type]


def _gif(*parts: GifPart, **more: object) -> bytes:
    return gif_of(WIDTH, HEIGHT, list(parts), FOUR, **more)  # type: ignore[arg-type]


@kind("GIF frames that exceed the canvas or leave it uncovered")
def places(_: random.Random) -> Iterator[Case]:
    yield Case("first frame wider", _gif(part(0, 0, 80, 32, 0), part(40, 0, 40, 32, 1)))
    yield Case("first frame beside the canvas", _gif(part(60, 40, 20, 20, 0), whole(1)))
    yield Case("second frame larger", _gif(whole(0), part(0, 0, 96, 64, 1)))
    yield Case("second frame sticks out", _gif(whole(0), part(30, 20, 60, 60, 1), whole(2)))
    yield Case("second frame outside", _gif(whole(0), part(50, 40, 10, 10, 1), whole(2)))
    yield Case("uncovered", _gif(part(10, 10, 12, 12, 1), part(20, 4, 12, 12, 2), background=3))
    yield Case("one frame, uncovered", _gif(part(10, 10, 12, 12, 1), background=3))
    yield Case("one frame, larger", _gif(part(10, 10, 100, 60, 1), background=3))
    yield Case("no canvas", gif_of(0, 0, [part(0, 0, 30, 20, 1), part(5, 5, 9, 9, 2)], FOUR))
    yield Case("frame without width", _gif(whole(0), part(5, 5, 0, 9, 1), whole(2)))
    yield Case("first frame without width", _gif(part(5, 5, 0, 9, 1), whole(2)))


@kind("GIF blocks out of order, odd or cut")
def blocks(_: random.Random) -> Iterator[Case]:
    first, small = whole(0), part(8, 8, 16, 16, 1)
    for disposal in range(8):
        parts = whole(0, disposal=1), replace(small, disposal=disposal), part(0, 0, 4, 4, 2)
        yield Case(f"disposal {disposal}", _gif(*parts))
        parts = whole(0, disposal=disposal), small, part(0, 0, 4, 4, 2)
        yield Case(f"first disposal {disposal}", _gif(*parts))
    text = b"\x21\x01\x0c" + bytes(12) + b"\x02ab\x00"
    yield Case("plain text before a frame", _gif(first, replace(small, before=text, disposal=2)))
    control = struct.pack("<4BHBB", 0x21, 0xF9, 4, 1, 10, 1, 0)
    yield Case("two controls", _gif(first, replace(small, before=control, disposal=2), whole(2)))
    short = b"\x21\xf9\x03\x01\x0a\x00\x00"
    yield Case("short control", _gif(first, replace(small, before=short), whole(2)))
    yield Case("no colours", gif_of(WIDTH, HEIGHT, [first, small]), person=True)
    few = replace(small, pixels=bytes([0, 5]) * 128, colours=FOUR[:2])
    yield Case("colour beyond the table", _gif(first, few))
    yield Case("colour beyond the global table", _gif(first, replace(few, colours=())))
    clear = replace(first, pixels=b"\x01\x03" * (WIDTH * HEIGHT // 2), transparent=3)
    yield Case("transparent first frame", _gif(clear, replace(small, transparent=1)))
    yield Case("unknown block", _gif(first, end=b"\x07\x08" + whole(1).data() + b";"))
    yield Case("zeros between blocks", _gif(first, end=b"\0\0\0" + whole(1).data() + b";"))
    yield Case("trailer, then a frame", _gif(first, end=b";" + whole(1).data() + b";"), person=True)
    less = replace(whole(1), pixels=b"\x01" * (WIDTH * HEIGHT // 2))
    yield Case("second frame lacks rows", _gif(first, less, whole(2)), person=True)
    yield Case("first frame lacks rows", _gif(less, part(0, 0, 9, 9, 2)), person=True)
    more = replace(whole(1), pixels=b"\x01" * (WIDTH * HEIGHT + 300))
    yield Case("frame with rows too many", _gif(first, more, part(3, 3, 9, 9, 2)))
