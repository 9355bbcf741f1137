"""Odd metadata and damage: EXIF blocks, segments, chunks, end markers, bytes that are broken."""

from __future__ import annotations

import random
from collections.abc import Iterator

from PIL import Image

from tests.support import odd_pictures as parts
from tests.support.hostile import animation, chunk, encoded, patched, safe, with_png_chunk
from tests.support.odd_parts import ANCILLARY_CHUNKS, EXIF, SEGMENTS
from tests.support.rendering.corpus import LOSSY, Case, kind
from tests.support.rendering.stills import photo

CUTS = (0.3, 0.6, 0.95)


def _lossy(data: Image.Image, **options: object) -> bytes:
    return encoded(data, "JPEG", quality=95, **options)


@kind("JPEG and PNG, odd EXIF blocks")
def turned(_: random.Random) -> Iterator[Case]:
    for name, change in EXIF.items():
        yield Case(f"JPEG, {name}", change(_lossy(photo())), LOSSY)
    whole, block = encoded(photo(), "PNG"), parts.tiff(6)
    png = {
        "before the data": with_png_chunk(whole, chunk(b"eXIf", block)),
        "wrong checksum": with_png_chunk(whole, parts.broken(chunk(b"eXIf", block))),
        "behind the data": whole[:-12] + chunk(b"eXIf", block) + whole[-12:],
        "with a JPEG's head": with_png_chunk(whole, chunk(b"eXIf", b"Exif\0\0" + block)),
        "two": with_png_chunk(whole, chunk(b"eXIf", block) + chunk(b"eXIf", parts.tiff(8))),
        "LONG": with_png_chunk(whole, chunk(b"eXIf", parts.tiff(6, 4))),
    }
    for name, data in png.items():
        yield Case(f"PNG, {name}", data)


@kind("JPEG and PNG, odd segments and chunks")
def metadata(_: random.Random) -> Iterator[Case]:
    for name, change in SEGMENTS.items():
        yield Case(name, change(_lossy(photo())), LOSSY)
    for name, added in ANCILLARY_CHUNKS.items():
        yield Case(name, with_png_chunk(encoded(photo(), "PNG"), added))


@kind("files without their end, cut or broken")
def damaged(chance: random.Random) -> Iterator[Case]:
    films = [photo().rotate(angle) for angle in (0, 90, 180)]
    wholes = {
        "JPEG": (_lossy(photo()), LOSSY),
        "progressive JPEG": (_lossy(photo(), progressive=True), LOSSY),
        "PNG": (encoded(photo(), "PNG"), 3),
        "GIF": (encoded(photo(), "GIF"), 3),
        "interlaced GIF": (encoded(photo(), "GIF", interlace=1), 3),
        "WebP": (encoded(photo(), "WEBP", quality=90), LOSSY),
        "AVIF": (encoded(photo(), "AVIF", quality=90), LOSSY),
        "APNG": (animation(films, "PNG"), 3),
        "moving GIF": (animation(films, "GIF"), 3),
        "moving WebP": (animation(films, "WEBP", lossless=True), 3),
    }
    ends = {"JPEG": 2, "progressive JPEG": 2, "PNG": 12, "GIF": 1, "interlaced GIF": 1, "APNG": 12}
    for name, (data, tolerance) in wholes.items():
        if name in ends:
            # Chromium leaves out the last 16 rows of a JPEG that has no end marker.
            cut = data[: -ends[name]]
            yield Case(f"{name} without its end", cut, tolerance, partial="JPEG" in name)
        for share in CUTS:
            cut = data[: int(len(data) * share)]
            yield Case(f"{name} cut at {share:.0%}", cut, tolerance, person=True)
        for number in range(4):
            at = chance.randrange(len(data) // 2, len(data) - 20)
            broken = patched(data, at, bytes([data[at] ^ 0x55, 0, 0xFF]))
            yield Case(f"{name} broken at {at} ({number})", broken, tolerance, person=True)
    large = encoded(safe(), "PNG")
    rows = patched(large, 5000, b"\0\0\0\0")
    yield Case("PNG with a wrong checksum of its data", rows, person=True)
