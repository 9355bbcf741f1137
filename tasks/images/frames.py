"""Every frame of a picture in order, as browsers paint it, within the limits."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any, Protocol

from PIL import Image, ImageFile

from tasks.images.animation.apng import Apng
from tasks.images.animation.canvas import Moment
from tasks.images.animation.gif import Gif
from tasks.images.containers import png
from tasks.images.frame_views import rgba
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import DECODER_ERRORS, Source, check_size
from tasks.images.pixels import png_alpha
from tasks.images.still import load

FRAME_COST = 50_000  # the cost in pixels of opening one more frame of any size


class Reader(Protocol):
    """The frames of one file; `size` is that of the canvas, in pixels as stored."""

    size: tuple[int, int]

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Moment]: ...


class Frames:
    """The frames of an opened file. Later frames need earlier ones, so none can be skipped.

    What cannot be decoded, and what exceeds the limits, becomes a doubt of the source.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._reader = _with_other(_reader(source, limits), source, limits)
        self.size, self.count = self._reader.size, len(self._reader)
        check_size(self.size, limits)

    def __iter__(self) -> Iterator[tuple[int, Moment]]:
        """Each frame that shows something; raises PictureError if none does."""
        frames, begun, shown = iter(self._reader), _clocks(), 0
        for index in range(self.count):
            if index and (reason := self._exceeded(index, begun)):
                self._doubt(reason)
                break
            frame = next(frames, None)
            if frame is None:
                break
            if frame.problem:
                self._doubt(f"a frame is damaged: {frame.problem}")
            if frame.image:
                shown += 1
                yield index, frame
        if not shown:
            raise PictureError("unreadable", "No frame of the picture can be decoded.")

    def _exceeded(self, done: int, begun: tuple[float, float]) -> str | None:
        width, height = self.size
        if (done + 1) * (width * height + FRAME_COST) > self._limits.max_total_pixels:
            return f"only the first {done} of {self.count} frames were decoded"
        taken = max(now - then for now, then in zip(_clocks(), begun, strict=True))
        if 0 < self._limits.seconds < taken:
            return f"only {done} of {self.count} frames were decoded in time"
        return None

    def _doubt(self, reason: str) -> None:
        kind = reason.partition(":")[0]  # one of a kind: a file may have thousands of bad frames
        if not any(doubt.startswith(kind) for doubt in self._source.doubts):
            self._source.doubts.append(reason)


class PillowFrames:
    """The frames of a file that Pillow and its libraries composite as browsers do."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source, self._limits, self.size = source, limits, source.size

    def __len__(self) -> int:
        return self._source.frames

    def __iter__(self) -> Iterator[Moment]:
        for index in range(self._source.frames):
            if not load(self._source, index, self._limits):
                yield Moment(None, "its data cannot be decoded")
                return
            image = self._source.image
            yield Moment(image, None, int(image.info.get("duration") or 0))


class FrameDecoder:
    """Decodes a file of one frame, or as much of it as its data contain."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name, self._limits = name, limits

    def __call__(self, data: bytes, size: tuple[int, int]) -> tuple[Image.Image | None, str | None]:
        """The frame as RGBA, and what is wrong with it. Raises PictureError if it is too large."""
        check_size(size, self._limits)
        try:
            image = self._decode(data)
            short = self._name == "PNG" and png.frames(data)[0].missing()
            return image, "the data end before the picture does" if short else None
        except DECODER_ERRORS as error:
            problem = str(error)
        try:
            ImageFile.LOAD_TRUNCATED_IMAGES = True
            return self._decode(data), problem
        except DECODER_ERRORS:
            return None, problem
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False

    def _decode(self, data: bytes) -> Image.Image:
        image: Image.Image = Image.open(io.BytesIO(data), formats=(self._name,))
        if self._name == "PNG":
            image.load()
            image = png_alpha.applied(image, data)
        return rgba(image)


def _reader(source: Source, limits: Limits) -> Reader:
    if source.outline.format == "GIF":
        return Gif(source.data, FrameDecoder("GIF", limits))
    if source.outline.format == "PNG":
        apng = Apng(source.data, FrameDecoder("PNG", limits))
        if apng.is_animated:
            return apng
    return PillowFrames(source, limits)


def _clocks() -> tuple[float, float]:
    """CPU seconds, and half of the wall-clock seconds, as other processes may use the CPU too."""
    return time.process_time(), time.monotonic() / 2


class AvifFrames:
    """The frames of an AVIF animation, and the picture beside it, which has data of its own.

    The first brand decides which of the two a viewer shows: the other is scored as well, unless it
    equals the first frame. It comes last.
    """

    def __init__(self, shown: Reader, other: Any) -> None:
        self._shown, self._other, self.size = shown, other, shown.size

    def __len__(self) -> int:
        return len(self._shown) + self._other.n_frames

    def __iter__(self) -> Iterator[Moment]:
        yield from self._shown
        for index in range(self._other.n_frames):
            try:
                self._other.seek(index)
                self._other.load()
            except DECODER_ERRORS as error:
                yield Moment(None, str(error))
                return
            yield Moment(self._other, None, int(self._other.info.get("duration") or 0))


def _with_other(shown: Reader, source: Source, limits: Limits) -> Reader:
    """`shown`, with the animation of a file that Pillow reads as a picture, or the reverse."""
    if source.outline.format != "AVIF" or b"moov" not in source.data:
        return shown
    from PIL.AvifImagePlugin import AvifImageFile  # loaded only for such files

    brand = b"avif" if len(shown) > 1 else b"avis"
    try:
        other: Any = AvifImageFile(io.BytesIO(source.data[:8] + brand + source.data[12:]))
        check_size(other.size, limits)
        source.image.seek(0)
        if other.n_frames == len(shown) or (other.n_frames == 1 and _same(other, source.image)):
            return shown
    except DECODER_ERRORS:
        return shown  # the file has only one of them
    return AvifFrames(shown, other)


def _same(one: Image.Image, other: Image.Image) -> bool:
    return (one.size, one.mode) == (other.size, other.mode) and one.tobytes() == other.tobytes()
