"""What a picture's file says about it, whatever its format, and the bytes for the decoder."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from tasks.images.containers import boxes, gif, jpeg, png
from tasks.images.limits import PictureError
from tasks.images.pixels import color, icc_profile

ENDLESS = "the file ends without an end marker"
INCOMPLETE = "the data end before the picture does"
DAMAGED = "the data are damaged"


@dataclass(slots=True)
class Contents:
    """`data` are for the decoder. `profile` is what browsers take, `other_profile` others.

    `exif` are TIFF blocks: the ones where browsers look, and `other_exif` those elsewhere.
    `pictures` are the offsets of further pictures that the file names. `damaged` and `lacks_data`
    follow from its structure. `first_scan` makes the data of a JPEG whose later scans are broken.
    """

    data: bytes
    end: int
    profile: bytes | None = None
    other_profile: bytes | None = None
    is_hdr: bool = False
    exif: list[bytes] = field(default_factory=list)
    other_exif: list[bytes] = field(default_factory=list)
    crop: bytes | None = None
    pictures: list[int] = field(default_factory=list)
    damaged: bool = False
    lacks_data: bool = False
    first_scan: Callable[[], bytes] | None = None
    notes: list[str] = field(default_factory=list)


def read(name: str, data: bytes, end: int) -> Contents:
    """The contents of a file of this format, whose picture ends at `end`.

    Raises `PictureError` if nothing of it can be decoded by anybody.
    """
    return _READERS[name](data, end)


def _jpeg(data: bytes, end: int) -> Contents:
    its = jpeg.parse(data)
    if its.size is None or not its.scans:
        raise PictureError("unreadable", "The JPEG has no picture.")
    return Contents(
        its.bare(),
        its.end,
        profile=its.profile,
        exif=its.exif,
        other_exif=its.other_exif,
        pictures=its.pictures,
        damaged=its.damaged,
        lacks_data=its.lacks_scans,
        first_scan=its.first_scan if its.scans > 1 else None,
        notes=[] if its.closed else [ENDLESS],
    )


def _png(data: bytes, end: int) -> Contents:
    its = png.parse(data)
    if its is None:
        raise PictureError("unreadable", "The PNG has no valid header.")
    if its.colour == png.PALETTE and not its.has_palette:
        raise PictureError("unreadable", "The PNG's palette is missing.")
    if not any(kind == b"IDAT" for kind, _, _ in its.parts):
        raise PictureError("unreadable", "The PNG has no data.")
    coded = its.about.get(b"cICP", b"")
    return Contents(
        its.bare(),
        its.end,
        profile=color.of_png(its.about),
        is_hdr=len(coded) == 4 and coded[1] in icc_profile.HDR,
        exif=its.exif,
        other_exif=its.other_exif,
        damaged=its.damaged,
        notes=[] if its.closed else [ENDLESS],
    )


def _gif(data: bytes, end: int) -> Contents:
    its = gif.parse(data)
    cut = its.cut if its else 0
    if not cut:
        return Contents(data, end)
    # A block that is cut off gets the length that it has.
    rest = data[cut + 1 :]
    last = bytes([len(rest)]) + rest if rest else b""
    return Contents(data[:cut] + last + b"\0;", end)


def _webp(data: bytes, end: int) -> Contents:
    its, at = Contents(data, end), 12
    flags = data[20] if data[12:16] == b"VP8X" else 0
    while at + 8 <= min(end, len(data)):
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"ICCP" and not (its.profile or its.other_profile):
            # Browsers take the profile only if the header announces it.
            its.profile, its.other_profile = (body, None) if flags & 0x20 else (None, body)
        elif kind == b"EXIF":  # browsers ignore it
            its.other_exif.append(body[6:] if body.startswith(b"Exif\0\0") else body)
        at += 8 + length + length % 2
    return its


def _boxes(data: bytes, end: int) -> Contents:
    of = boxes.properties(data)
    its = Contents(data, end, profile=of.profile, crop=of.crop)
    if of.profile is None and of.code_points is not None:
        primaries, transfer = of.code_points
        # Browsers take the curves of television for that of sRGB here, but not in a PNG.
        transfer = 13 if transfer in (1, 2, 6, 14, 15) else transfer
        _, its.profile = icc_profile.of_code_points(1 if primaries == 2 else primaries, transfer)
        its.is_hdr = transfer in icc_profile.HDR
    return its


_READERS: dict[str, Callable[[bytes, int], Contents]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _boxes,
    "HEIF": _boxes,
}
