"""Animated PNGs: random ones of every colour type, and ones with an error in their structure."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.support.hostile import chunk
from tests.support.rendering.corpus import Case, kind

WIDTH, HEIGHT = 48, 32
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
KEEP, CLEAR, RESTORE = 0, 1, 2
SOURCE, OVER = 0, 1


@dataclass(frozen=True)
class ApngPart:
    """One frame: its place in pixels, its rows without filter bytes, its fcTL."""

    left: int
    top: int
    width: int
    height: int
    pixels: bytes
    dispose: int = KEEP
    blend: int = SOURCE
    in_idat: bool = False

    def control(self, number: int) -> bytes:
        box = struct.pack(">4I", self.width, self.height, self.left, self.top)
        more = struct.pack(">2H2B", 10, 100, self.dispose, self.blend)
        return chunk(b"fcTL", struct.pack(">I", number) + box + more)

    def rows(self) -> bytes:
        wide = len(self.pixels) // self.height
        rows = (self.pixels[at : at + wide] for at in range(0, len(self.pixels), wide))
        return zlib.compress(b"".join(b"\x00" + row for row in rows))


def head(colour: int, depth: int = 8, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    body = struct.pack(">II5B", width, height, depth, colour, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", body)


def actl(frames: int) -> bytes:
    return chunk(b"acTL", struct.pack(">II", frames, 1))


def body(parts: list[ApngPart], numbers: Iterator[int]) -> bytes:
    """The frames' chunks; those in IDAT must come first."""
    made = b""
    for part in parts:
        made += part.control(next(numbers))
        if part.in_idat:
            made += chunk(b"IDAT", part.rows())
        else:
            made += chunk(b"fdAT", struct.pack(">I", next(numbers)) + part.rows())
    return made


def counted() -> Iterator[int]:
    return iter(range(1 << 30))


END = chunk(b"IEND", b"")


def pixels_of(chance: random.Random, width: int, height: int, colour: int, depth: int) -> bytes:
    """Blocks of 4 x 4 pixels; with alpha a third is transparent, a third half transparent."""
    rows = []
    for _ in range(0, height, 4):
        row = b"".join(_pixel(chance, colour) * 4 for _ in range(0, width, 4))
        row = row[: width * CHANNELS[colour]]
        if depth == 16:
            row = b"".join(bytes((value, value)) for value in row)
        rows += [row] * 4
    return b"".join(rows[:height])


def _pixel(chance: random.Random, colour: int) -> bytes:
    if colour == PALETTE:
        return bytes([chance.randrange(8)])
    values = [chance.choice((0, 60, 128, 200, 255)) for _ in range(CHANNELS[colour])]
    if colour in (GREY_ALPHA, RGBA):
        values[-1] = chance.choice((0, 128, 255))
    return bytes(values)


def look(chance: random.Random, colour: int, depth: int) -> bytes:
    """A palette where one is needed, and transparency sometimes."""
    if colour == PALETTE:
        colours = bytes(chance.choice((0, 90, 180, 255)) for _ in range(24))
        alpha = chunk(b"tRNS", bytes((255, 0, 128))) if chance.random() < 0.5 else b""
        return chunk(b"PLTE", colours) + alpha
    if colour in (GREY, RGB) and chance.random() < 0.5:
        value = 60 if depth == 8 else 60 * 257
        return chunk(b"tRNS", struct.pack(">H", value) * CHANNELS[colour])
    return b""


def _random_part(chance: random.Random, colour: int, depth: int, size: tuple[int, int]) -> ApngPart:
    width, height = chance.randint(1, size[0]), chance.randint(1, size[1])
    return ApngPart(
        chance.randint(0, size[0] - width),
        chance.randint(0, size[1] - height),
        width,
        height,
        pixels_of(chance, width, height, colour, depth),
        dispose=chance.choice((KEEP, CLEAR, RESTORE)),
        blend=chance.choice((SOURCE, OVER)),
    )


@kind("APNG animations, random", seeded=True)
def random_apngs(chance: random.Random) -> Iterator[Case]:
    size = chance.randint(16, 64), chance.randint(16, 64)
    colour, depth = chance.choice((GREY, RGB, PALETTE, GREY_ALPHA, RGBA, RGBA)), 8
    if colour != PALETTE and chance.random() < 0.2:
        depth = 16
    first = ApngPart(0, 0, *size, pixels_of(chance, *size, colour, depth))
    parts = [_random_part(chance, colour, depth, size) for _ in range(chance.randint(1, 6))]
    numbers = counted()
    if chance.random() < 0.7:
        dispose = chance.choice((KEEP, CLEAR, RESTORE))
        parts.insert(0, replace(first, in_idat=True, dispose=dispose, blend=OVER))
        default = b""
    else:
        default = chunk(b"IDAT", first.rows())
    data = head(colour, depth, *size) + look(chance, colour, depth) + actl(len(parts))
    name = f"apng {colour} {depth} {chance.random():.6f}"
    yield Case(name, data + default + body(parts, numbers) + END)


def plain(left: int, top: int, width: int, height: int, rgb: bytes, **more: object) -> ApngPart:
    """A frame of one colour."""
    return replace(ApngPart(left, top, width, height, rgb * (width * height)), **more)  # type: ignore[arg-type]


@kind("APNGs with an error in their structure")
def broken(_: random.Random) -> Iterator[Case]:
    red = plain(0, 0, WIDTH, HEIGHT, b"\xc0\x20\x20", in_idat=True)
    green = plain(0, 0, WIDTH, HEIGHT, b"\x20\xc0\x20")
    blue = plain(8, 8, 16, 16, b"\x20\x20\xc0")
    parts = [red, green, blue]
    default = chunk(b"IDAT", red.rows())

    def made(parts: list[ApngPart], *before: bytes, end: bytes = END) -> bytes:
        return head(RGB) + b"".join(before) + body(parts, counted()) + end

    yield Case("two acTL", made(parts, actl(3), actl(3)))
    yield Case("two acTL, the second of one frame", made(parts, actl(3), actl(1)))
    yield Case("two acTL, the first of one frame", made(parts, actl(1), actl(3)))
    yield Case("acTL of no frames", made(parts, actl(0)))
    yield Case("acTL of fewer frames", made(parts, actl(2)))
    yield Case("acTL of one frame", made(parts, actl(1)))
    yield Case("acTL of more frames", made(parts, actl(9)))
    yield Case("no acTL", made(parts))
    yield Case("acTL behind the data", made(parts, end=actl(3) + END))
    apart = body(parts[1:], counted()) + END
    yield Case("acTL between the data and the frames", head(RGB) + default + actl(2) + apart)
    orders = {"skips": (0, 1, 5, 6, 7), "repeats": (0, 1, 1, 1, 1), "falls": (4, 3, 2, 1, 0)}
    for name, order in orders.items():
        yield Case(f"sequence {name}", head(RGB) + actl(3) + body(parts, iter(order)) + END)
    for name, odd in {
        "sticks out": replace(green, left=8),
        "lies outside": replace(green, left=99),
        "is larger": plain(0, 0, 80, 80, b"\x20\xc0\x20"),
    }.items():
        yield Case(f"frame {name}", made([red, odd, blue], actl(3)))
    yield Case("odd dispose", made([red, replace(green, dispose=7), blue], actl(3)))
    yield Case("odd blend", made([red, replace(green, blend=9), blue], actl(3)))
    small = replace(red, width=24, pixels=red.pixels[: 24 * HEIGHT * 3])
    yield Case("first frame smaller", made([small, green, blue], actl(3)), person=True)
    yield Case("default apart", head(RGB) + actl(2) + default + apart)
    yield Case("control without data", made([red, green], actl(3), end=blue.control(3) + END))
    twice = red.control(0) + red.control(1) + default + body([green], iter((2, 3)))
    yield Case("two controls of one frame", head(RGB) + actl(2) + twice + END)
    short = replace(green, pixels=green.pixels[: WIDTH * 8 * 3])
    yield Case("frame lacks rows", made([red, replace(short, height=8), blue], actl(3)))
