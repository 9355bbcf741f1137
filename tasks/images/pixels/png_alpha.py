"""The one transparent colour of a PNG (tRNS), compared in the depth of its samples.

Pillow compares the stored value with samples that it has already scaled to 8 bits: it misses the
colour in pictures of 1, 2, 4 and 16 bits a sample. Browsers compare all bits (PNG specification,
11.3.2.1), and a picture may be drawn in the lower byte alone.
"""

from __future__ import annotations

import io
import struct

from PIL import Image, ImageChops

GREY, RGB = 0, 2  # colour types


def applied(image: Image.Image, data: bytes) -> Image.Image:
    """`image`, decoded from the bare PNG `data`, with its transparent colour as alpha."""
    depth, colour = data[24], data[25]
    at = data.find(b"tRNS", 33)
    if colour not in (GREY, RGB) or not 0 < at < data.find(b"IDAT", 33):
        return image
    count = 3 if colour == RGB else 1
    if int.from_bytes(data[at - 4 : at], "big") < 2 * count:
        return image
    key = struct.unpack_from(f">{count}H", data, at + 4)
    if depth == 16:
        return _deep(image, data, key)
    scale = 255 // ((1 << depth) - 1)
    values = [(value & ((1 << depth) - 1)) * scale for value in key]
    image = image.convert("L" if count == 1 else "RGB")
    return _with_alpha(image, _all_equal(image, values))


def _deep(image: Image.Image, data: bytes, key: tuple[int, ...]) -> Image.Image:
    high, low = (_bytes_of(data, image.mode, of) for of in ("high", "low"))
    same_high = _all_equal(high, [value >> 8 for value in key])
    same_low = _all_equal(low, [value & 255 for value in key])
    return _with_alpha(high, ImageChops.darker(same_high, same_low))


def _bytes_of(data: bytes, mode: str, which: str) -> Image.Image:
    """The high or the low bytes of 16-bit samples, as `L` or `RGB`."""
    image = Image.open(io.BytesIO(data), formats=("PNG",))
    if mode == "RGB":
        # Samples are big-endian; read as little-endian, the unpacker keeps their other byte.
        raw = "RGB;16B" if which == "high" else "RGB;16L"
        image.tile = [tile._replace(args=raw) for tile in image.tile]
        image.load()
        return image
    pairs = Image.frombytes("LA", image.size, image.tobytes())  # in memory little-endian
    return pairs.getchannel("A" if which == "high" else "L")


def _all_equal(image: Image.Image, values: list[int]) -> Image.Image:
    """255 where every band has its value, else 0."""
    mask = Image.new("L", image.size, 255)
    for band, value in zip(image.split(), values, strict=True):
        same = band.point([255 * (level == value) for level in range(256)])
        mask = ImageChops.darker(mask, same)
    return mask


def _with_alpha(image: Image.Image, transparent: Image.Image) -> Image.Image:
    image.info.pop("transparency", None)
    rgba = image.convert("RGBA")
    rgba.putalpha(ImageChops.invert(transparent))
    return rgba
