"""What a picture's file says about it, whatever its format, and the bytes for the decoder."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from tasks.images.containers import boxes, gif, items, jpeg, png, tracks
from tasks.images.limits import PictureError
from tasks.images.pixels import color, icc_profile
from tasks.images.pixels.icc_profile import Profile

ENDLESS = "the file ends without an end marker"
INCOMPLETE = "the data end before the picture does"
DAMAGED = "the data are damaged"


@dataclass(slots=True)
class Contents:
    """`data` are for the decoder. `profile` is what browsers take, `other_profiles` others.

    `exif` are TIFF blocks: the ones where browsers look, and `other_exif` those elsewhere.
    `pictures` are the offsets of further pictures that the file names; `inside` are whole files of
    further pictures. `damaged` and `lacks_data` follow from its structure. `first_scan` makes the
    data of a JPEG whose later scans are broken.
    """

    data: bytes
    end: int
    profile: Profile | None = None
    other_profiles: list[Profile | None] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    other_exif: list[bytes] = field(default_factory=list)
    crop: bytes | None = None
    pictures: list[int] = field(default_factory=list)
    inside: list[bytes] = field(default_factory=list)
    damaged: bool = False
    lacks_data: bool = False
    first_scan: Callable[[], bytes] | None = None
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


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
    return Contents(
        its.bare(),
        its.end,
        profile=color.of_png(its.about),
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
        if kind == b"ICCP" and not (its.profile or its.other_profiles):
            # Browsers take the profile only if the header announces it.
            if flags & 0x20:
                its.profile = body
            else:
                its.other_profiles = [body]
        elif kind == b"EXIF":  # browsers ignore it
            its.other_exif.append(body[6:] if body.startswith(b"Exif\0\0") else body)
        at += 8 + length + length % 2
    return its


def _boxes(data: bytes, end: int) -> Contents:
    try:
        return _read_boxes(data, end)
    except OverflowError:
        return Contents(data, end, doubts=["it has too many boxes to be looked at"])


def _read_boxes(data: bytes, end: int) -> Contents:
    stills, films = items.properties(data), tracks.properties(data)
    # Only a file whose first brand is `avif` is shown as a still, if it has both.
    every = stills + films if data[8:12] == b"avif" else films + stills
    its = Contents(data, end)
    if every:
        profiles = list(dict.fromkeys(seen for each in every for seen in _colours(each)))
        its.profile, its.other_profiles, its.crop = profiles[0], profiles[1:], every[0].crop
    if len({each.crop for each in every}) > 1:
        its.doubts.append("its animation and its picture are cropped differently")
    if gain := items.gain_map(data):
        its.inside.append(gain.file)
        if gain.on_plain_screens:
            its.doubts.append("a gain map changes how the picture looks")
    return its


def _colours(of: boxes.Properties) -> list[Profile | None]:
    """The profiles by which viewers show an AVIF, browsers first; None is sRGB."""
    if of.profile and icc_profile.is_sound(of.profile):
        return [of.profile]
    primaries, _ = of.code_points or (1, 13)
    _, made = icc_profile.of_code_points(1 if primaries == 2 else primaries, _transfer(of))
    return [of.profile, made] if of.profile else [made]


def _transfer(of: boxes.Properties) -> int:
    """The transfer curve that browsers take: those of television are sRGB's here, not in a PNG."""
    _, transfer = of.code_points or (1, 13)
    return 13 if transfer in (1, 2, 6, 14, 15) else transfer


_READERS: dict[str, Callable[[bytes, int], Contents]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _boxes,
    "HEIF": _boxes,
}
