"""The frames of a GIF as browsers paint them.

Pillow enlarges the canvas for a frame that exceeds it and fills uncovered canvas with a colour of
the palette; browsers clip the frame and show the page. So each frame is cut into a GIF of its own,
which Pillow decodes, and is composited here. The rules are those of Chromium, which
`tests/browser/test_rendering.py` compares.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.images.animation.canvas import Blend, Box, Canvas, DecodeFrame, Disposal, Moment

LEAST_DELAY, USUAL_DELAY = 20, 100  # milliseconds: browsers replace a shorter delay
_DISPOSALS = {2: Disposal.CLEAR, 3: Disposal.RESTORE, 4: Disposal.RESTORE}
_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_BLACK = bytes(3 * 256)  # what browsers paint if a file has no colours


@dataclass(frozen=True, slots=True)
class GifFrame:
    """One frame: its place on the canvas, and its own parts of the file."""

    box: Box
    colours: bytes  # the colour table, local or global
    interlaced: bool
    lzw: bytes  # code size and sub-blocks
    transparent: int | None
    disposal: Disposal
    duration: int  # milliseconds

    def alone(self) -> bytes:
        """The frame as a GIF of its own."""
        width, height = self.box.size
        flags = 0x80 | (len(self.colours) // 3 - 1).bit_length() - 1
        head = b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + self.colours
        if self.transparent is not None:
            head += struct.pack("<4BHBB", _EXTENSION, _CONTROL, 4, 1, 0, self.transparent, 0)
        descriptor = struct.pack("<BHHHHB", _IMAGE, 0, 0, width, height, self.interlaced << 6)
        return b"".join((head, descriptor, self.lzw, b"\x00;"))


@dataclass
class _Control:
    """The last graphic control extension, which belongs to the next frame."""

    transparent: int | None = None
    disposal: Disposal = Disposal.KEEP
    duration: int = USUAL_DELAY


class Gif:
    """The frames of a GIF; a file that is cut off is read up to where it ends.

    Browsers stop at a block that they do not know, other viewers search for the next frame: such
    frames are scored as well.
    """

    def __init__(self, data: bytes, decode: DecodeFrame) -> None:
        self._data, self._decode = data, decode
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        self._start = 13 + _table_size(flags)
        self._colours = data[13 : self._start] if flags & 0x80 else _BLACK
        self.frames: list[GifFrame] = []
        with contextlib.suppress(IndexError, struct.error):  # cut off
            self._read()
        if self.frames:  # browsers enlarge the canvas for the first frame alone
            right, bottom = self.frames[0].box.end
            width, height = max(width, right), max(height, bottom)
        self.size = width, height

    def _read(self) -> None:
        data, at, control = self._data, self._start, _Control()
        while (block := data[at]) != _TRAILER:
            if block == _EXTENSION:
                if data[at + 1] == _CONTROL and data[at + 2] == 4:
                    control = _control(data, at + 3)
                at = _skip(data, at + 2)
            elif block == _IMAGE:
                at = self._add(at, control)
                control = _Control()
            else:
                at += 1

    def _add(self, at: int, control: _Control) -> int:
        """Add the frame whose image descriptor is at `at`; returns the offset after it."""
        data = self._data
        left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
        start = at + 10 + _table_size(flags)
        end = _skip(data, start + 1)
        frame = GifFrame(
            Box(left, top, width, height),
            data[at + 10 : start] if flags & 0x80 else self._colours,
            bool(flags & 0x40),
            data[start : end - 1],
            control.transparent,
            control.disposal,
            control.duration,
        )
        self.frames.append(frame)
        return end

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Moment]:
        canvas = Canvas(self.size)
        for frame in self.frames:
            image, problem = None, None
            if min(frame.box.size) > 0:  # a frame without pixels changes nothing
                image, problem = self._decode(frame.alone(), frame.box.size)
            painted = canvas.show(image, frame.box, frame.disposal, Blend.MASK)
            yield Moment(painted if image or not problem else None, problem, frame.duration)


def _control(data: bytes, at: int) -> _Control:
    flags, delay, transparent = struct.unpack_from("<BHB", data, at)
    duration = 10 * delay
    return _Control(
        transparent if flags & 1 else None,
        _DISPOSALS.get(flags >> 2 & 7, Disposal.KEEP),
        duration if duration >= LEAST_DELAY else USUAL_DELAY,
    )


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip(data: bytes, at: int) -> int:
    """The offset after the sub-blocks at `at`."""
    while size := data[at]:
        at += size + 1
    return at + 1
