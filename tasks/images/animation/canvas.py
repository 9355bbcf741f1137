"""The canvas of an animation, and how frames are put on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from PIL import Image


class Disposal(Enum):
    """What happens to a frame's area before the next frame."""

    KEEP = "keep"
    CLEAR = "clear"  # to transparent
    RESTORE = "restore"  # to what was there before the frame


class Blend(Enum):
    """How a frame is put on its area."""

    REPLACE = "replace"
    OVER = "over"  # composited by its alpha
    MASK = "mask"  # the same for a frame whose alpha is 0 or 255, in a third of the memory


@dataclass(frozen=True, slots=True)
class Box:
    """A frame's place on the canvas, in pixels; it may exceed the canvas."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def end(self) -> tuple[int, int]:
        return self.left + self.width, self.top + self.height


@dataclass(frozen=True, slots=True)
class Moment:
    """What an animation shows for `duration` ms; `problem` says what is wrong with its data.

    The next frame may overwrite `image`. It is None if nothing could be decoded.
    """

    image: Image.Image | None
    problem: str | None = None
    duration: int = 0


# Decodes a file of one frame with a size in pixels: RGBA, or None, and what is wrong with its data.
DecodeFrame = Callable[[bytes, tuple[int, int]], tuple[Image.Image | None, str | None]]


class Canvas:
    """Frames are put on a transparent canvas that never grows; what exceeds it is clipped."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.image = Image.new("RGBA", size)
        self._dispose: tuple[Image.Image | None, tuple[int, int, int, int]] | None = None

    def show(
        self, frame: Image.Image | None, box: Box, disposal: Disposal, blend: Blend
    ) -> Image.Image:
        """Dispose of the frame before, and put `frame` (RGBA) on the canvas, unless it is None.

        Returns the canvas itself, which the next call changes.
        """
        self._clean()
        area = self._clip(box)
        if frame is None or area is None:
            return self.image
        if disposal is not Disposal.KEEP:
            kept = self.image.crop(area) if disposal is Disposal.RESTORE else None
            self._dispose = kept, area
        inside = _moved(area, box)
        part = frame if inside == (0, 0, *frame.size) else frame.crop(inside)
        if blend is Blend.OVER:
            self.image.alpha_composite(part, area[:2])
        else:
            self.image.paste(part, area, part if blend is Blend.MASK else None)
        return self.image

    def _clean(self) -> None:
        if self._dispose:
            kept, area = self._dispose
            self.image.paste(kept or (0, 0, 0, 0), area)
            self._dispose = None

    def _clip(self, box: Box) -> tuple[int, int, int, int] | None:
        width, height = self.image.size
        right, bottom = min(width, box.end[0]), min(height, box.end[1])
        if right <= box.left or bottom <= box.top:
            return None
        return box.left, box.top, right, bottom


def _moved(area: tuple[int, int, int, int], box: Box) -> tuple[int, int, int, int]:
    """`area` of the canvas in the frame's own coordinates."""
    left, top, right, bottom = area
    return left - box.left, top - box.top, right - box.left, bottom - box.top
