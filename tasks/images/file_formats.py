"""The accepted formats, and the outline of a picture file, read without decoding a pixel.

`FORMATS` and `sniff` are the one table of formats for the upload's request and for the worker.

Pillow decodes the picture, but does not report where it ends, or how large it is before it
allocates memory. These parsers do, in a few microseconds per segment, so that `open_untrusted` can
refuse a file in time. `containers` has the parsers of single formats.

Sources: Google's WebP container specification, ISO/IEC 14496-12 (the boxes of AVIF and HEIF).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from tasks.images.containers import gif, jpeg, png

PNG_SIGNATURE = png.SIGNATURE
AVIF_BRANDS = frozenset({b"avif", b"avis"})
# The last three name the container alone: an AVIF may have them too, beside one of its own.
HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"miaf"}
)
MOST_BRANDS = 64  # compatible brands of a file that are looked at; real files have under ten


@dataclass(frozen=True, slots=True)
class Format:
    """An accepted format: its media type, the ending of its file names, its name to people."""

    media_type: str
    ending: str
    shown: str


FORMATS = {  # by Pillow's name
    "JPEG": Format("image/jpeg", "jpg", "JPEG"),
    "PNG": Format("image/png", "png", "PNG"),
    "GIF": Format("image/gif", "gif", "GIF"),
    "WEBP": Format("image/webp", "webp", "WebP"),
    "AVIF": Format("image/avif", "avif", "AVIF"),
    "HEIF": Format("image/heif", "heif", "HEIF"),
}


@dataclass(frozen=True, slots=True)
class Outline:
    """The container's own data: `end` is a byte offset, `size` is in pixels as stored.

    `size` and `frames` are None if only the decoder knows them. For a GIF, `size` includes frames
    that exceed the canvas, because Pillow enlarges the canvas for them.
    """

    format: str
    end: int
    complete: bool
    size: tuple[int, int] | None = None
    frames: int | None = None
    scans: int = 1
    closed: bool = True  # with an end marker
    started: bool = False  # it is not complete, but browsers may show a part of it


def sniff(head: bytes) -> str | None:
    """The format that a file's first bytes belong to, a key of `FORMATS`, or None.

    Pass 512 bytes or more, if the file has them: they contain the brands of an AVIF.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(PNG_SIGNATURE):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return _sniff_brand(head) if head[4:8] == b"ftyp" else None


def _sniff_brand(head: bytes) -> str | None:
    # An AVIF may have `mif1`, `msf1` or `miaf` as its major brand and `avif` or `avis` only as a
    # compatible brand; those fill the rest of the box.
    end = min(int.from_bytes(head[:4], "big"), len(head), 16 + 4 * MOST_BRANDS)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    if brands & AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & HEIF_BRANDS else None


def reads_heif() -> bool:
    """Whether this installation has the extra package that decodes HEIF."""
    return find_spec("pillow_heif") is not None


def outline(data: bytes) -> Outline | None:
    """The outline of the picture that starts at byte 0, or None if the format is not
    supported.

    Never raises because of a file's content. `complete` is False if the file is cut so that its
    decoder gives nothing of it.
    """
    name = sniff(data[:512])
    if name is None:
        return None
    try:
        return _WALKS[name](data)
    except (IndexError, struct.error):
        return Outline(name, len(data), complete=False)


def _jpeg(data: bytes) -> Outline:
    its = jpeg.parse(data)
    return Outline("JPEG", its.end, complete=True, size=its.size, scans=its.scans)


def _png(data: bytes) -> Outline:
    its = png.parse(data)
    if its is None:
        return Outline("PNG", len(data), complete=False)
    return Outline("PNG", its.end, complete=True, size=its.size)


def _gif(data: bytes) -> Outline:
    its = gif.parse(data)
    if its is None:
        return Outline("GIF", len(data), complete=False)
    return Outline("GIF", its.end, its.frames > 0, its.size, its.frames, closed=its.closed)


def _webp(data: bytes) -> Outline:
    end = 8 + int.from_bytes(data[4:8], "little")
    size = _webp_size(data)
    return Outline("WEBP", end, complete=end <= len(data), size=size, started=True)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
        return width + 1, height + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _boxes(name: str) -> Callable[[bytes], Outline]:
    def walk(data: bytes) -> Outline:
        at = 0
        while at + 8 <= len(data) and data[at + 4 : at + 8].isalnum():
            if at and data[at + 4 : at + 8] == b"ftyp":  # another file follows
                break
            length = int.from_bytes(data[at : at + 4], "big")
            if length == 1:
                length = struct.unpack_from(">Q", data, at + 8)[0]
            at = at + length if length >= 8 else len(data)  # 0 means to the end of the file
        return Outline(name, at, complete=at <= len(data), started=b"meta" in data)

    return walk


_WALKS: dict[str, Callable[[bytes], Outline]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _boxes("AVIF"),
    "HEIF": _boxes("HEIF"),
}
