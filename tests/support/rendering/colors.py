"""Colours: chunks of a PNG, ICC profiles in every format, 16 bits, the transparent colour."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.support import odd_pictures as odd
from tests.support.hostile import chunk, encoded, png, with_png_chunk
from tests.support.odd_parts import COLOUR_CHUNKS
from tests.support.rendering import apngs
from tests.support.rendering.corpus import LOSSY, Case, kind
from tests.support.rendering.stills import photo, see_through

CONVERTED = 6  # Little CMS and Skia round differently, most in the dark of a strong curve
PROFILES = {
    "sRGB": odd.profile(),
    "swapped": odd.swapped(),
    "linear": odd.profile(gamma=1.0),
    "gamma 3": odd.profile(gamma=3.0),
    "Display P3": odd.profile(odd.P3),
    "printer's": odd.profile(gamma=1.0, kind=b"prtr"),
    "link": odd.profile(gamma=1.0, kind=b"link"),
    "grey": odd.profile(space=b"GRAY", gamma=1.0),
    "Lab": odd.profile(space=b"Lab "),
    "cut": odd.profile(gamma=1.0)[:-40],
    "version 5": odd.profile(gamma=1.0, version=b"\x05\0\0\0"),
}
_DEPTHS = (1, 2, 4, 8, 16)


@kind("PNG, chunks about colours")
def chunks(_: random.Random) -> Iterator[Case]:
    for name, added in COLOUR_CHUNKS.items():
        yield Case(name, with_png_chunk(encoded(photo(), "PNG"), added), CONVERTED)
    for mode in ("L", "LA", "P", "RGBA", "I;16"):
        image = see_through().quantize(64) if mode == "P" else see_through().convert("RGBA")
        if mode == "I;16":
            image = photo().convert("L").convert("I").point(lambda v: v * 257).convert("I;16")
        elif mode != "P":
            image = image.convert(mode)
        for name in ("gamma of 1", "profile", "linear code points"):
            data = with_png_chunk(encoded(image, "PNG"), COLOUR_CHUNKS[name])
            yield Case(f"{mode}, {name}", data, CONVERTED)


@kind("ICC profiles in PNG, JPEG, WebP and AVIF")
def profiles(_: random.Random) -> Iterator[Case]:
    for format in ("PNG", "JPEG", "WEBP", "AVIF"):
        for name, icc in PROFILES.items():
            data = odd.coloured(photo(), format, icc)
            yield Case(f"{format}, {name}", data, LOSSY, person=name == "Lab")
    for format in ("PNG", "JPEG"):
        for name in ("linear", "grey"):
            data = odd.coloured(photo().convert("L"), format, PROFILES[name])
            yield Case(f"grey {format}, {name}", data, LOSSY)
    whole = encoded(photo(), "JPEG", quality=95)
    for pieces in (2, 7):
        yield Case(f"JPEG, {pieces} pieces", odd.with_icc(whole, odd.swapped(), pieces), LOSSY)
    data = bytearray(odd.coloured(photo(), "WEBP", odd.swapped()))
    data[20] &= ~0x20
    yield Case("WebP, not announced", bytes(data), LOSSY)


@kind("PNG, transparent colour and 16 bits")
def keyed(_: random.Random) -> Iterator[Case]:
    for depth in _DEPTHS:
        top = (1 << depth) - 1
        values = (0, top // 2, top, max(0, top - 1)) * 4
        bits = "".join(f"{value:0{depth}b}" for value in values)
        row = b"\0" + int(bits, 2).to_bytes(-(-len(bits) // 8), "big")
        for key in (0, top // 2, top):
            tone = chunk(b"tRNS", struct.pack(">H", key))
            data = png(16, 16, zlib.compress(row * 16), tone, depth=depth)
            yield Case(f"grey of {depth} bits, {key}", data)
            linear = png(16, 16, zlib.compress(row * 16), odd.gama(100_000), tone, depth=depth)
            yield Case(f"grey of {depth} bits, {key}, linear", linear, CONVERTED)
    for low in (0, 1, 44):
        row = b"\0" + struct.pack(">3H", 300, 200, 100) * 8 + struct.pack(">3H", 301, 200, 100) * 8
        tone = chunk(b"tRNS", struct.pack(">3H", 256 + low, 200, 100))
        yield Case(
            f"colour of 16 bits, {low}",
            png(16, 16, zlib.compress(row * 16), tone, depth=16, kind=2),
        )
    yield Case("a picture in the low bytes", _in_low_bytes())
    for colour in (apngs.GREY, apngs.RGB):
        yield Case(f"frames of 16 bits, colour type {colour}", _frames(colour))


def _in_low_bytes() -> bytes:
    """16-bit grey whose high bytes are black; the transparent value leaves a picture."""
    grey = photo().convert("L").point(lambda value: 255 * (value > 110))
    rows = b"".join(
        b"\0"
        + b"".join(struct.pack(">H", value) for value in grey.crop((0, y, 96, y + 1)).tobytes())
        for y in range(64)
    )
    return png(96, 64, zlib.compress(rows), chunk(b"tRNS", b"\0\0"), depth=16)


def _frames(colour: int) -> bytes:
    """Frames whose samples differ from the transparent colour in their low bytes alone."""
    channels, parts = apngs.CHANNELS[colour], []
    for low in (7, 8, 7):
        sample = struct.pack(">H", 0x3000 | low) * channels
        other = struct.pack(">H", 0xC000 | low) * channels
        row = sample * 24 + other * 24
        parts.append(apngs.ApngPart(0, 0, 48, 32, row * 32, in_idat=not parts))
    tone = chunk(b"tRNS", struct.pack(">H", 0x3007) * channels)
    head = apngs.head(colour, 16) + tone + apngs.actl(3)
    return head + apngs.body(parts, apngs.counted()) + apngs.END


@kind("CMYK JPEGs")
def cmyk(_: random.Random) -> Iterator[Case]:
    image: Image.Image = photo().convert("CMYK")
    yield Case("as Pillow writes them", encoded(image, "JPEG", quality=95), LOSSY)
    icc = odd.profile(space=b"CMYK")
    data = odd.with_icc(encoded(image, "JPEG", quality=95), icc)
    yield Case("a profile without a table", data, LOSSY, person=True)
