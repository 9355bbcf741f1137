"""The frames of an animated PNG as browsers paint them, and its default image.

Each frame is cut into a PNG of its own with the file's chunks about colours, which Pillow decodes,
and is composited here. A browser shows the default image alone if it finds an error in the
structure, another viewer plays what there is: both are scored.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from tasks.images.animation.canvas import Blend, Box, Canvas, DecodeFrame, Disposal, Moment

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DISPOSALS = {1: Disposal.CLEAR, 2: Disposal.RESTORE}
_OVER = 1  # the blend operation that composites
# The chunks before the data that change how pixels look.
_LOOK = frozenset({b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"iCCP", b"sRGB", b"sBIT", b"cICP"})


@dataclass(slots=True)
class ApngFrame:
    """One frame: its place on the canvas, and its compressed rows."""

    box: Box
    disposal: Disposal = Disposal.KEEP
    blend: Blend = Blend.REPLACE
    duration: int = 0  # milliseconds
    rows: list[memoryview] = field(default_factory=list)


class Apng:
    """The default image of a PNG, and the frames of its animation in the order of the file.

    If the default image is not a frame of the animation, it comes first; browsers do not show it.
    """

    def __init__(self, data: bytes, decode: DecodeFrame) -> None:
        self._decode_frame = decode
        self._head, self._look = b"", b""
        self.size = (0, 0)
        self._default = ApngFrame(Box(0, 0, 0, 0))
        self._frames: list[ApngFrame] = []
        self._has_default = False  # as a frame of the animation
        for kind, body in chunks(data):
            self._take(kind, body)
        self._frames = [frame for frame in self._frames if frame.rows]

    def _take(self, kind: bytes, body: memoryview) -> None:
        if kind == b"IHDR" and not self._head and len(body) == 13:
            self._head = bytes(body)
            self.size = struct.unpack_from(">II", body)
            self._default.box = Box(0, 0, *self.size)
        elif kind in _LOOK and not self._default.rows:
            self._look += chunk(kind, body)
        elif kind == b"fcTL" and len(body) == 26:
            self._frames.append(_frame(body))
        elif kind == b"IDAT":
            self._take_default(body)
        elif kind == b"fdAT" and self._frames and len(body) > 4:
            self._frames[-1].rows.append(body[4:])

    def _take_default(self, body: memoryview) -> None:
        if self._frames and not self._default.rows:
            self._has_default = True
            self._frames[-1].box = self._default.box
            self._frames[-1].rows = self._default.rows
        self._default.rows.append(body)

    @property
    def is_animated(self) -> bool:
        return len(self._frames) > self._has_default

    def __len__(self) -> int:
        return len(self._frames) + (not self._has_default)

    def __iter__(self) -> Iterator[Moment]:
        if not self._has_default:
            yield Moment(*self._decode(self._default))
        canvas = Canvas(self.size)
        for frame in self._frames:
            image, problem = self._decode(frame)
            painted = canvas.show(image, frame.box, frame.disposal, frame.blend)
            yield Moment(painted if image else None, problem, frame.duration)

    def _decode(self, frame: ApngFrame) -> tuple[Image.Image | None, str | None]:
        return self._decode_frame(self._alone(frame), frame.box.size)

    def _alone(self, frame: ApngFrame) -> bytes:
        """The frame as a PNG of its own."""
        head = struct.pack(">II", *frame.box.size) + self._head[8:]
        rows = b"".join(frame.rows)
        parts = chunk(b"IHDR", head), self._look, chunk(b"IDAT", rows), chunk(b"IEND", b"")
        return _SIGNATURE + b"".join(parts)


def _frame(body: memoryview) -> ApngFrame:
    width, height, left, top, share, of, dispose, blend = struct.unpack_from(">4I2H2B", body, 4)
    return ApngFrame(
        Box(left, top, width, height),
        _DISPOSALS.get(dispose, Disposal.KEEP),
        Blend.OVER if blend == _OVER else Blend.REPLACE,
        1000 * share // (of or 100),
    )


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The type and body of each chunk, as far as the file goes."""
    at, view = len(_SIGNATURE), memoryview(data)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, view[at + 8 : at + 8 + length]
        if kind == b"IEND":
            return
        at += 12 + length


def chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    """A chunk with its length and checksum."""
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)))
