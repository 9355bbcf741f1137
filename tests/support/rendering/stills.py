"""Still pictures of every format, mode and orientation."""

from __future__ import annotations

import random
from collections.abc import Iterator

from PIL import Image, ImageFilter

from tests.support.hostile import HOSTILE, encoded, safe
from tests.support.rendering.corpus import LOSSY, Case, kind


def photo(width: int = 96, height: int = 64) -> Image.Image:
    """A photo without fine detail, on which decoders of lossy formats agree."""
    return safe().filter(ImageFilter.BoxBlur(2)).resize((width, height))


def see_through() -> Image.Image:
    """A photo whose alpha falls from left to right."""
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").rotate(90).resize(image.size))
    return image


@kind("stills, opaque")
def opaque(_: random.Random) -> Iterator[Case]:
    for mode in ("1", "L", "P", "RGB", "I;16"):
        yield Case(f"png of mode {mode}", encoded(photo().convert(mode), "PNG"))
    yield Case("gif", encoded(photo(), "GIF"))
    yield Case("interlaced gif", encoded(photo(), "GIF", interlace=1))
    yield Case("lossless webp", encoded(photo(), "WEBP", lossless=True))
    yield Case("webp", encoded(photo(), "WEBP", quality=90), LOSSY)
    yield Case("avif", encoded(photo(), "AVIF", quality=90), LOSSY)
    for subsampling in ("4:4:4", "4:2:0"):
        data = encoded(photo(), "JPEG", quality=90, subsampling=subsampling)
        yield Case(f"jpeg {subsampling}", data, LOSSY)
    yield Case("progressive jpeg", encoded(photo(), "JPEG", progressive=True), LOSSY)
    yield Case("grey jpeg", encoded(photo().convert("L"), "JPEG"), LOSSY)


@kind("stills with alpha")
def alpha(_: random.Random) -> Iterator[Case]:
    image = see_through()
    yield Case("png", encoded(image, "PNG"))
    yield Case("grey png", encoded(image.convert("LA"), "PNG"))
    yield Case("palette png", encoded(image.quantize(64), "PNG"))
    yield Case("lossless webp", encoded(image, "WEBP", lossless=True, exact=True))
    yield Case("webp", encoded(image, "WEBP", quality=90), LOSSY)
    # Chromium stretches the alpha of an AVIF from 16 to 235 on 0 to 255, libavif does not.
    yield Case("avif", encoded(image, "AVIF", quality=90), tolerance=24)
    for name in ("bad-under-alpha", "bad-under-faint-alpha", "bad-on-black-alone"):
        yield Case(name, HOSTILE[name].data())


@kind("stills with an EXIF orientation")
def turned(_: random.Random) -> Iterator[Case]:
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        for format in ("JPEG", "PNG", "WEBP"):
            data = encoded(photo(), format, exif=exif, quality=95)
            yield Case(f"{format} {turn}", data, LOSSY)
