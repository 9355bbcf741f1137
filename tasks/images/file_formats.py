"""The accepted formats, and the outline of a picture file, read without decoding a pixel.

`FORMATS` and `sniff` are the one table of formats for the upload's request and for the worker.

Pillow decodes the picture, but does not report where it ends, whether the file was cut, or what
follows it. These parsers do, in a few microseconds per segment. So `open_untrusted` can refuse a
file before a decoder allocates memory.

Sources: ITU-T T.81 annex B (JPEG), the PNG and GIF89a specifications, Google's WebP container
specification, ISO/IEC 14496-12 (the boxes of AVIF and HEIF).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
AVIF_BRANDS = frozenset({b"avif", b"avis"})
# The last three name the container alone: an AVIF may have them too, beside one of its own.
HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"miaf"}
)
MOST_BRANDS = 64  # compatible brands of a file that are looked at; real files have under ten

# A marker that is neither a stuffed zero nor a restart: only these end entropy-coded data.
# Without a group or a repeat, `re` finds the first byte twenty times faster.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_JPEG_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
# What may follow a scan's data: tables, another scan, the end, an application's segment, a comment.
_JPEG_AFTER_DATA = frozenset({0xC4, 0xCC, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_PICTURE = re.compile(
    rb"\xff\xd8\xff[\xc0-\xc2\xdb\xe0-\xef\xfe]\x00|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP"
    rb"|ftyp(?:" + b"|".join(sorted(AVIF_BRANDS | HEIF_BRANDS)) + rb")",
    re.DOTALL,
)
# x and y of the first pixel of each pass, then the steps (PNG specification, 8.2).
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
_PADDING = b"\x00\t\n\r \xff"


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
    damaged: bool = False  # by its markers: a part may be missing


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

    Never raises because of a file's content: if its structure exceeds it, `complete` is False.
    """
    name = sniff(data[:512])
    if name is None:
        return None
    try:
        return _WALKS[name](data)
    except (IndexError, struct.error):
        return Outline(name, len(data), complete=False)


def loose_picture(data: bytes, ranges: list[tuple[int, int]]) -> bool:
    """Whether a picture starts outside the `ranges`, (start, end) in bytes."""
    return any(_PICTURE.search(data, start, end) for start, end in _gaps(data, ranges))


def loose_bytes(data: bytes, ranges: list[tuple[int, int]]) -> int:
    """The number of bytes outside the `ranges`, without padding."""
    return sum(len(data[start:end].strip(_PADDING)) for start, end in _gaps(data, ranges))


def _gaps(data: bytes, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    gaps, reached = [], 0
    for start, end in sorted(ranges):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, end)
    return [*gaps, (reached, len(data))] if reached < len(data) else gaps


def jpeg_end(data: bytes, start: int) -> tuple[int, int] | None:
    """(offset after the end marker, number of scans) of the JPEG at `start`, or None if cut."""
    at, scans = start + 2, 0
    while match := _JPEG_MARKER.search(data, at):
        marker, at = match[0][1], match.end()
        if marker == 0xD9:
            return at, scans
        scans += marker == 0xDA
        if at + 2 > len(data):
            return None
        at += int.from_bytes(data[at : at + 2], "big")
    return None


def _jpeg(data: bytes) -> Outline:
    end = jpeg_end(data, 0)
    if end is None:
        return Outline("JPEG", len(data), complete=False)
    damaged = _jpeg_is_damaged(data[: end[0]])
    return Outline("JPEG", end[0], complete=True, scans=end[1], damaged=damaged)


def _jpeg_is_damaged(data: bytes) -> bool:
    """Whether a scan's data have an impossible marker, or restart markers that are out of order.

    Decoders continue after such damage, and Pillow does not report it. Damage between two markers
    cannot be detected like this; the picture is then judged as viewers show it.
    """
    at, scan = 2, 0  # start of the current scan's data; 0 outside a scan
    defined = False  # without a restart interval there are none, and the search takes 0.1 ms
    while match := _JPEG_MARKER.search(data, at):
        marker, at = match[0][1], match.end()
        if scan:
            restarts = _JPEG_RESTART.findall(data, scan, match.start()) if defined else []
            counted = all(restart[1] == 0xD0 + i % 8 for i, restart in enumerate(restarts))
            if not counted or marker not in _JPEG_AFTER_DATA:
                return True
        if marker == 0xD9:
            return False
        at += int.from_bytes(data[at : at + 2], "big")
        scan = at if marker == 0xDA else 0
        defined = defined or marker == 0xDD
    return False


def _png(data: bytes) -> Outline:
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
    width, height = struct.unpack_from(">II", data, 16)
    return Outline("PNG", at, complete=at <= len(data), size=(width, height))


@dataclass(frozen=True, slots=True)
class PngFrame:
    """The compressed rows of one frame, and their uncompressed size by the header."""

    claimed: int
    parts: list[memoryview]

    def is_short(self) -> bool:
        """Whether rows are missing; Pillow leaves them black without an error."""
        missing, inflate = self.claimed, zlib.decompressobj()
        for part in self.parts:
            rest: bytes | memoryview = part
            while rest and missing > 0 and not inflate.eof:
                missing -= len(inflate.decompress(rest, 1 << 20))
                rest = inflate.unconsumed_tail
        return missing > 0


def png_frames(data: bytes) -> list[PngFrame]:
    """The frames of a complete PNG in Pillow's order: the default image first."""
    at, frames, view = 8, [PngFrame(_png_raw_size(data, 16), [])], memoryview(data)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if (
            kind == b"fcTL" and frames[0].parts
        ):  # an fcTL before the default image belongs to that image
            frames.append(PngFrame(_png_raw_size(data, body + 4), []))
        elif kind == b"IDAT":
            frames[0].parts.append(view[body : body + length])
        elif kind == b"fdAT":
            frames[-1].parts.append(view[body + 4 : body + length])
        at = body + length + 4
    return frames


def _png_raw_size(data: bytes, at: int) -> int:
    """Uncompressed bytes of a frame whose width and height are at `at`; rows have a filter byte."""
    size = struct.unpack_from(">II", data, at)
    depth, colour, interlaced = data[24], data[25], data[28]
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        width, height = -(-(size[0] - left) // across), -(-(size[1] - top) // down)
        if width > 0 and height > 0:
            total += height * (1 + (width * bits + 7) // 8)
    return total


def _gif(data: bytes) -> Outline:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames = 13 + _colour_table(flags), 0
    while (block := data[at]) != 0x3B:
        if block == 0x2C:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
            width, height, frames = max(width, left + wide), max(height, top + high), frames + 1
            at = _skip_sub_blocks(data, at + 11 + _colour_table(flags))
        elif block == 0x21:
            at = _skip_sub_blocks(data, at + 2)
        else:  # Not a block: Pillow and browsers search for the next one byte by byte.
            at += 1
    return Outline("GIF", at + 1, complete=True, size=(width, height), frames=frames)


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_sub_blocks(data: bytes, at: int) -> int:
    while size := data[at]:
        at += size + 1
    return at + 1


def _webp(data: bytes) -> Outline:
    end = 8 + int.from_bytes(data[4:8], "little")
    return Outline("WEBP", end, complete=end <= len(data), size=_webp_size(data))


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
            length = int.from_bytes(data[at : at + 4], "big")
            if length == 1:
                length = struct.unpack_from(">Q", data, at + 8)[0]
            at = at + length if length >= 8 else len(data)  # 0 means to the end of the file
        return Outline(name, at, complete=at <= len(data))

    return walk


_WALKS: dict[str, Callable[[bytes], Outline]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _boxes("AVIF"),
    "HEIF": _boxes("HEIF"),
}
