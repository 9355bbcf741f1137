"""Odd parts of files by name: chunks of a PNG, segments and EXIF blocks of a JPEG.

What each must give is in tests/pure; the render oracle compares each with a browser.
"""

from __future__ import annotations

from collections.abc import Callable

from tasks.images.containers import jpeg
from tests.support import odd_pictures as odd
from tests.support.hostile import chunk, encoded, safe, with_segment

Change = Callable[[bytes], bytes]
SRGB_CHUNK = chunk(b"sRGB", b"\0")
COLOUR_CHUNKS: dict[str, bytes] = {
    "gamma of 1": odd.gama(100_000),
    "gamma of sRGB": odd.gama(45_455),
    "gamma of 0": odd.gama(0),
    "extreme gamma": odd.gama(20_000),
    "gamma with a wrong checksum": odd.broken(odd.gama(100_000)),
    "sRGB before gamma": SRGB_CHUNK + odd.gama(100_000),
    "an empty sRGB": chunk(b"sRGB", b"") + odd.gama(100_000),
    "sRGB of an unknown intent": chunk(b"sRGB", b"\x09") + odd.gama(100_000),
    "sRGB with a wrong checksum": odd.broken(SRGB_CHUNK) + odd.gama(100_000),
    "primaries without a gamma": odd.CHRM_SWAPPED,
    "primaries and gamma": odd.gama(45_455) + odd.CHRM_SWAPPED,
    "primaries of sRGB and gamma": odd.gama(45_455) + odd.CHRM_SRGB,
    "profile": odd.iccp(odd.swapped()),
    "profile before sRGB": SRGB_CHUNK + odd.iccp(odd.swapped()),
    "profile of another method": odd.iccp(odd.swapped(), method=1),
    "profile with a wrong checksum": odd.broken(odd.iccp(odd.swapped())),
    "broken profile, then gamma": odd.iccp(b"x" * 200) + odd.gama(100_000),
    "code points of sRGB": chunk(b"cICP", b"\x01\x0d\0\x01") + odd.gama(100_000),
    "linear code points": chunk(b"cICP", b"\x01\x08\0\x01"),
    "code points of Display P3": chunk(b"cICP", b"\x0c\x0d\0\x01"),
    "code points of television": chunk(b"cICP", b"\x01\x01\0\x01"),
    "code points of PQ": chunk(b"cICP", b"\x09\x10\0\x01"),
    "unknown code points": chunk(b"cICP", b"\x03\x03\0\x01"),
}

_KINDS = (b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"pHYs", b"gAMA", b"sRGB", b"bKGD")
ANCILLARY_CHUNKS: dict[str, bytes] = {
    "profile of method 1": odd.iccp(odd.profile(), method=1),
    "empty sRGB": chunk(b"sRGB", b""),
    "short gAMA": chunk(b"gAMA", b"\0"),
    "text without a name": chunk(b"tEXt", b""),
    "compressed text of an unknown method": chunk(b"zTXt", b"a\0\x07xyz"),
    "short time": chunk(b"tIME", b"\0\1"),
    "short pHYs": chunk(b"pHYs", b"\0"),
    "5 MB of text": chunk(b"tEXt", b"a\0" + b"b" * (5 << 20)),
    "broken EXIF": chunk(b"eXIf", b"nonsense"),
    "an animation of no frames": chunk(b"acTL", bytes(8)),
} | {f"{kind.decode()} with a wrong checksum": odd.broken(chunk(kind, bytes(4))) for kind in _KINDS}


def _stale_index(data: bytes) -> bytes:
    """A multi-picture file whose second picture is gone; of another picture than `data`."""
    both = encoded(safe(), "MPO", save_all=True, append_images=[safe()])
    return both[: jpeg.parse(both).end]


SEGMENTS: dict[str, Change] = {
    "a short Adobe marker": lambda data: with_segment(data, 0xEE, b"Adobe\0d"),
    "a short JFIF": lambda data: with_segment(data, 0xE0, b"JFIF\0"),
    "a broken multi-picture index": lambda data: with_segment(
        data, 0xE2, b"MPF\0II*\0\xff\xff\xff\x7f"
    ),
    "a stale multi-picture index": _stale_index,
    "a cut EXIF": lambda data: with_segment(data, 0xE1, b"Exif\0\0MM"),
    "an impossible length": lambda data: data[:2] + b"\xff\xe5\0\1" + data[2:],
    "fill bytes": lambda data: data[:2] + b"\xff" * 5 + data[2:],
    "a phone maker's trailer": lambda data: data + b"SEFT phone maker's trailer",
    "a broken Photoshop block": lambda data: with_segment(
        data, 0xED, b"Photoshop 3.0\x008BIM\x03\xed\xff"
    ),
}


def _exif(*blocks: bytes, head: bytes = b"Exif\0\0", fill: int = 0) -> Change:
    return lambda data: odd.with_exif(data, *blocks, head=head, fill=fill)


EXIF: dict[str, Change] = {
    "SHORT": _exif(odd.tiff(6)),
    "little-endian": _exif(odd.tiff(6, order="<")),
    "behind fill bytes": _exif(odd.tiff(6), fill=3),
    "after Exif 0 1": _exif(odd.tiff(6), head=b"Exif\0\x01"),
    "LONG": _exif(odd.tiff(6, 4)),
    "SLONG": _exif(odd.tiff(6, 9)),
    "SSHORT": _exif(odd.tiff(6, 8)),
    "FLOAT": _exif(odd.tiff(6, 11)),
    "DOUBLE": _exif(odd.tiff(6, 12)),
    "BYTE": _exif(odd.tiff(6, 1)),
    "count of 2": _exif(odd.tiff(6, count=2)),
    "value of 9": _exif(odd.tiff(9)),
    "first block turns": _exif(odd.tiff(6), odd.tiff(1)),
    "second block turns": _exif(odd.tiff(1), odd.tiff(6)),
    "second of a broken one": _exif(b"x" * 30, odd.tiff(6)),
}
