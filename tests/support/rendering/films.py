"""Animated WebP and AVIF: random WebPs written chunk by chunk, and what encoders write."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from PIL import Image

from tests.support.hostile import animation, encoded, riff
from tests.support.rendering.corpus import LOSSY, Case, kind
from tests.support.rendering.stills import photo, see_through

WIDTH, HEIGHT = 48, 32
# Chromium stretches the levels of an AVIF animation from 16 to 235 on 0 to 255, libavif does not.
STRETCHED = 24


def canvas(width: int, height: int, background: bytes = bytes(4)) -> list[tuple[bytes, bytes]]:
    """The head of an animated WebP with alpha that plays once."""
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    return [(b"VP8X", b"\x12\0\0\0" + sides), (b"ANIM", background + struct.pack("<H", 1))]


def frame(
    image: Image.Image, left: int, top: int, *, clear: bool, replaces: bool, **options: object
) -> tuple[bytes, bytes]:
    """An ANMF chunk; the offsets are even, as the format stores half of them."""
    data = encoded(image, "WEBP", **options)
    at = 12
    while data[at : at + 4] not in (b"VP8 ", b"VP8L", b"ALPH"):
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    numbers = left // 2, top // 2, image.width - 1, image.height - 1, 100
    head = b"".join(number.to_bytes(3, "little") for number in numbers)
    return b"ANMF", head + bytes([replaces << 1 | clear]) + data[at:]


def random_image(chance: random.Random, width: int, height: int) -> Image.Image:
    small = Image.new("RGBA", ((width + 3) // 4, (height + 3) // 4))
    levels = (0, 60, 128, 200, 255)
    for x in range(small.width):
        for y in range(small.height):
            colour = [chance.choice(levels) for _ in "rgb"]
            small.putpixel((x, y), (*colour, chance.choice((0, 128, 255))))  # type: ignore[arg-type]
    large = small.resize((small.width * 4, small.height * 4), Image.Resampling.NEAREST)
    return large.crop((0, 0, width, height))


@kind("WebP animations, random", seeded=True)
def random_webps(chance: random.Random) -> Iterator[Case]:
    width, height = chance.randint(16, 64), chance.randint(16, 64)
    parts = canvas(width, height, bytes(chance.randrange(256) for _ in range(4)))
    for _ in range(chance.randint(2, 7)):
        left, top = 2 * chance.randrange(width // 2), 2 * chance.randrange(height // 2)
        image = random_image(
            chance, chance.randint(1, width - left), chance.randint(1, height - top)
        )
        clear, replaces = chance.random() < 0.4, chance.random() < 0.5
        parts.append(
            frame(image, left, top, clear=clear, replaces=replaces, lossless=True, exact=True)
        )
    yield Case(f"webp {chance.random():.6f}", riff(*parts))


@kind("WebP and AVIF animations as encoders write them")
def encoders(_: random.Random) -> Iterator[Case]:
    turned = [photo().rotate(angle) for angle in (0, 30, 60, 90, 120)]
    alpha = [see_through().rotate(angle) for angle in (0, 90, 180)]
    yield Case("lossless webp", animation(turned, "WEBP", lossless=True))
    yield Case("webp", animation(turned, "WEBP", quality=90), LOSSY)
    yield Case("webp with alpha", animation(alpha, "WEBP", quality=90), LOSSY)
    yield Case("avif", animation(turned, "AVIF", quality=90, speed=10), STRETCHED)
    yield Case("avif with alpha", animation(alpha, "AVIF", quality=90, speed=10), STRETCHED)


@kind("AVIF with a picture beside its animation")
def beside(_: random.Random) -> Iterator[Case]:
    film = animation([photo().rotate(angle) for angle in (0, 90, 180)], "AVIF", speed=10)
    for brand in (b"avis", b"avif", b"mif1", b"msf1"):
        yield Case(f"brand {brand.decode()}", film[:8] + brand + film[12:], STRETCHED)


@kind("WebP frames that exceed the canvas or are cut")
def places(_: random.Random) -> Iterator[Case]:
    red = Image.new("RGBA", (WIDTH, HEIGHT), (200, 30, 30, 255))
    small = Image.new("RGBA", (16, 16), (30, 200, 30, 255))

    def part(image: Image.Image, left: int = 0, top: int = 0) -> tuple[bytes, bytes]:
        return frame(image, left, top, clear=False, replaces=False, lossless=True)

    head = canvas(WIDTH, HEIGHT, b"\xff\xff\x00\xff")
    for name, odd in {
        "sticks out": part(small, 40, 24),
        "lies outside": part(small, 60, 60),
    }.items():
        yield Case(f"frame {name}", riff(*head, part(red), odd, part(small)), person=True)
    yield Case("uncovered", riff(*head, part(small, 8, 8), part(small, 20, 8)))
    still = [head[0], *head[1:], (b"VP8L", part(small)[1][24:])]
    yield Case("a still among the frames", riff(*still, part(red)), person=True)
