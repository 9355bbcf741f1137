"""Parts of odd pictures: colour profiles, EXIF blocks, boxes of an AVIF, films."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.support.hostile import chunk, encoded, with_png_chunk, with_segment

WHITE = (0.9642, 1.0, 0.8249)
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


def profile(
    colours: tuple[tuple[float, ...], ...] = SRGB,
    gamma: float = 2.2,
    *,
    space: bytes = b"RGB ",
    version: bytes = b"\x02\x10\0\0",
    kind: bytes = b"mntr",
) -> bytes:
    """An ICC profile of three colours (XYZ) and a gamma, or of a gamma alone (``GRAY``)."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = [(b"desc", b"desc" + bytes(7) + b"\x02x\0" + bytes(78) + b"\0"), (b"wtpt", _xyz(WHITE))]
    if space == b"GRAY":
        tags.append((b"kTRC", curve))
    else:
        tags += [
            (name + b"XYZ", _xyz(its))
            for name, its in zip((b"r", b"g", b"b"), colours, strict=True)
        ]
        tags += [(name + b"TRC", curve) for name in (b"r", b"g", b"b")]
    at, table, data = 132 + 12 * len(tags), b"", b""
    for name, body in tags:
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", at + len(data), len(body))
        data += body
    body = struct.pack(">I", len(tags)) + table + data
    names = version, kind, space, b"XYZ ", b"acsp"
    head = struct.pack(">I4x4s4s4s4s12x4s28x", 128 + len(body), *names)
    return head + _xyz(WHITE)[8:] + bytes(48) + body


def swapped(gamma: float = 2.2) -> bytes:
    """A profile that takes red for blue."""
    return profile(SRGB[::-1], gamma)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(value * 65536) for value in values))


def iccp(body: bytes, method: int = 0) -> bytes:
    """An iCCP chunk."""
    return chunk(b"iCCP", b"name\0" + bytes([method]) + zlib.compress(body))


def gama(value: int) -> bytes:
    """A gAMA chunk: the gamma times 100,000."""
    return chunk(b"gAMA", struct.pack(">I", value))


_POINTS = 31270, 32900, 15000, 6000, 30000, 60000, 64000, 33000
CHRM_SRGB = chunk(
    b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
)
CHRM_SWAPPED = chunk(b"cHRM", struct.pack(">8I", *_POINTS))


def broken(whole: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return whole[:-1] + bytes([whole[-1] ^ 1])


def with_icc(jpeg: bytes, body: bytes, pieces: int = 1, *, backwards: bool = False) -> bytes:
    """The JPEG with a profile in so many segments."""
    step = -(-len(body) // pieces)
    parts = [(number + 1, body[number * step : (number + 1) * step]) for number in range(pieces)]
    for number, part in parts if backwards else parts[::-1]:
        jpeg = with_segment(jpeg, 0xE2, b"ICC_PROFILE\0" + bytes([number, pieces]) + part)
    return jpeg


def tiff(turn: int, kind: int = 3, count: int = 1, order: str = ">") -> bytes:
    """A TIFF block with an orientation of this type (3 is SHORT)."""
    layout = {1: "B3x", 3: "H2x", 4: "I", 6: "b3x", 8: "h2x", 9: "i", 11: "f", 12: "I"}[kind]
    value = struct.pack(order + layout, 26 if kind == 12 else turn)
    entry = struct.pack(order + "HHI", 0x0112, kind, count) + value
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, 1)
    return head + entry + bytes(4) + (struct.pack(order + "d", turn) if kind == 12 else b"")


def with_exif(jpeg: bytes, *blocks: bytes, head: bytes = b"Exif\0\0", fill: int = 0) -> bytes:
    """The JPEG with EXIF segments, the first behind so many fill bytes."""
    for block in reversed(blocks):
        jpeg = with_segment(jpeg, 0xE1, head + block)
    return jpeg[:2] + b"\xff" * fill + jpeg[2:]


def with_properties(avif: bytes, *properties: bytes) -> bytes:
    """The AVIF with more properties of its picture, and its offsets moved."""
    meta = _box(avif, 0, len(avif), b"meta")
    iprp = _box(avif, meta[0] + 12, meta[1], b"iprp")
    ipco, ipma = (_box(avif, iprp[0] + 8, iprp[1], kind) for kind in (b"ipco", b"ipma"))
    count = len(list(_boxes(avif, ipco[0] + 8, ipco[1])))
    own = avif[ipma[0] + 18]
    entries = avif[ipma[0] + 19 : ipma[0] + 19 + own]
    entries += bytes(0x80 | count + 1 + number for number in range(len(properties)))
    made = box(b"ipco", avif[ipco[0] + 8 : ipco[1]], *properties) + box(
        b"ipma",
        avif[ipma[0] + 8 : ipma[0] + 18],
        bytes([own + len(properties)]),
        entries,
        avif[ipma[0] + 19 + own : ipma[1]],
    )
    made = box(b"iprp", made)
    grown = len(made) - (iprp[1] - iprp[0])
    data = bytearray(avif[: iprp[0]] + made + avif[iprp[1] :])
    struct.pack_into(">I", data, meta[0], meta[1] - meta[0] + grown)
    _move(data, grown)
    return bytes(data)


def _move(data: bytearray, by: int) -> None:
    at = data.index(b"iloc")  # version 0, offsets and lengths of 4 bytes, as libavif writes it
    place = at + 12
    for _ in range(int.from_bytes(data[at + 10 : at + 12], "big")):
        extents = int.from_bytes(data[place + 4 : place + 6], "big")
        place += 6
        for _ in range(extents):
            (offset,) = struct.unpack_from(">I", data, place)
            struct.pack_into(">I", data, place, offset + by)
            place += 8
    at = data.find(b"stco")  # the offset of the only chunk of an animation
    if at > 0:
        (offset,) = struct.unpack_from(">I", data, at + 12)
        struct.pack_into(">I", data, at + 12, offset + by)


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an MP4 container."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start, start + length
        start += length


def _box(data: bytes, start: int, end: int, kind: bytes) -> tuple[int, int]:
    return next((begin, after) for its, begin, after in _boxes(data, start, end) if its == kind)


def clap(
    width: tuple[int, int], height: tuple[int, int], x: tuple[int, int], y: tuple[int, int]
) -> bytes:
    """A crop of fractions: its size, and the offset of its centre."""
    return box(b"clap", struct.pack(">8i", *width, *height, *x, *y))


def with_code_points(avif: bytes, primaries: int, transfer: int) -> bytes:
    """The AVIF with other code points of its colours."""
    at = avif.index(b"nclx") + 4
    return avif[:at] + struct.pack(">HH", primaries, transfer) + avif[at + 4 :]


_BRANDS = box(b"ftyp", b"mp42", bytes(4), b"isommp42")
FILM = _BRANDS + box(b"moov", bytes(64)) + box(b"mdat", bytes(4000))


def coloured(image: Image.Image, format: str, icc: bytes) -> bytes:
    """The picture with a colour profile, lossless where the format can."""
    if format == "PNG":
        return with_png_chunk(encoded(image, "PNG"), iccp(icc))
    if format == "JPEG":
        return with_icc(encoded(image, "JPEG", quality=95), icc)
    more = {"lossless": True} if format == "WEBP" else {"quality": 95, "speed": 10}
    return encoded(image, format, icc_profile=icc, **more)
