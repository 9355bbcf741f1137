"""Bounded decoding: one read of an untrusted file gives all that the checks and the console need.

The file is opened once (see `tasks.images.open_untrusted`), and its orientation is applied first. A
part that cannot be decoded is either a `PictureError` or a doubt; it is never ignored.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from PIL import Image

from tasks.images import still
from tasks.images.frame_sampling import Sampler
from tasks.images.frame_views import PREVIEW_SIDE, VIEW, Frame, flatten, shrink, upright
from tasks.images.frames import Frames
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import Source, accepted, decoding, open_further, open_picture
from tasks.images.pixels import color

__all__ = [
    "VIEW",
    "Frame",
    "Limits",
    "Picture",
    "PictureError",
    "accepted",
    "frame_crops",
    "frame_previews",
    "read",
    "save_thumbnail",
]

MOST_BEHIND = 4  # frames of a picture behind the first; of one with more, a person must look
File = str | os.PathLike[str] | int  # a path, or the descriptor of an open file


@dataclass
class Picture:
    """A decoded picture. `width` and `height` are upright, in pixels.

    `views` has every sampled frame without exact repeats, and several views of a frame that viewers
    show differently (alpha, a disputed orientation). `notes` are only recorded; with any `doubts`
    the picture must go to a person.
    """

    format: str
    media_type: str
    width: int
    height: int
    frames: int
    sampled: tuple[int, ...]
    views: list[Frame]
    preview: Image.Image
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def read(file: File, limits: Limits) -> Picture:
    """Decode `file` within `limits`. Raises `PictureError`, or OSError if it is missing."""
    data = _bytes(file)
    with decoding():
        source = open_picture(data, limits)
        open_further(source, data, limits)
        return _look(source, limits)


def _bytes(file: File) -> bytes:
    # The caller closes an open file that it passed.
    with open(file, "rb", buffering=0, closefd=not isinstance(file, int)) as raw:
        return raw.read()


def frame_previews(file: File, indexes: Collection[int], limits: Limits) -> dict[int, Image.Image]:
    """The frames of these indexes that the file has, within the limits, decoded in one pass.

    Each is RGB, upright, flattened on white, its longest side up to 1280 pixels.
    """
    data = _bytes(file)
    previews: dict[int, Image.Image] = {}
    with decoding():
        source = open_picture(data, limits)
        open_further(source, data, limits)
        for at, readings, _ in _shown(source, Frames(source, limits), limits):
            if at in indexes:
                preview = color.finished(shrink(flatten(readings[0], "white"), PREVIEW_SIDE))
                previews[at] = upright(preview, source.orientation)
            if len(previews) == len(indexes):
                break
    return previews


def frame_crops(
    file: File, index: int, boxes: Collection[Sequence[float]], limits: Limits
) -> list[Image.Image]:
    """Parts of one frame, each resized to `VIEW`: RGB, upright, flattened on white.

    A box is (left, top, right, bottom), each a share of the upright frame's side.
    """
    data = _bytes(file)
    with decoding():
        source = open_picture(data, limits)
        open_further(source, data, limits)
        for at, readings, _ in _shown(source, Frames(source, limits), limits):
            if at == index:
                seen = upright(flatten(readings[0], "white"), source.orientation)
                return [color.finished(crop) for crop in _crops(seen, boxes)]
    raise PictureError("unreadable", f"The picture has no frame {index}.")


def _crops(image: Image.Image, boxes: Collection[Sequence[float]]) -> list[Image.Image]:
    width, height = image.size
    return [
        image.resize(
            VIEW,
            Image.Resampling.BILINEAR,
            box=(left * width, top * height, right * width, bottom * height),
        )
        for left, top, right, bottom in boxes
    ]


def save_thumbnail(
    image: Image.Image, path_or_file: str | os.PathLike[str] | IO[bytes], *, longest: int = 640
) -> None:
    """Write `image`, longest side up to `longest` pixels, as WebP without any metadata."""
    small = shrink(flatten(image, "white"), longest)
    # Pillow would copy EXIF, XMP and the colour profile from `info`.
    small.save(path_or_file, "WEBP", quality=80, method=2, exif=b"", xmp=b"", icc_profile=b"")


def _look(source: Source, limits: Limits) -> Picture:
    frames = Frames(source, limits)
    count = frames.count + len(source.further)
    sampler = Sampler(source, count, limits)
    for index, readings, duration in _shown(source, frames, limits):
        sampler.offer(index, readings, duration, always=index >= frames.count)
    found, sampled = sampler.finish()
    views = [Frame(view.index, color.finished(view.image)) for view in found]
    width, height = frames.size
    return Picture(
        source.outline.format,
        accepted()[source.outline.format],
        *((height, width) if source.orientation >= 5 else (width, height)),
        count,
        sampled,
        views,
        color.finished(sampler.first_preview),
        source.notes,
        source.doubts,
    )


def _shown(
    source: Source, frames: Frames, limits: Limits
) -> Iterator[tuple[int, list[Image.Image], int]]:
    """(index, readings, duration in ms) of the frames and of the pictures behind them.

    The first reading is that of browsers. Every image turns upright by `source.orientation`.
    """
    for index, moment in frames:
        if moment.image:
            yield index, list(still.readings(source, moment.image)), moment.duration
    for index, other in enumerate(source.further, frames.count):
        yield from _shown_behind(source, index, other, limits)


def _shown_behind(
    source: Source, index: int, other: Source, limits: Limits
) -> Iterator[tuple[int, list[Image.Image], int]]:
    """One picture behind the first, all of its frames as readings of one."""
    found: list[Image.Image] = []
    inner = Frames(other, limits)
    try:
        for at, moment in inner:
            if moment.image and at < MOST_BEHIND:
                found += still.readings(other, moment.image.copy())
    except PictureError as error:
        source.doubt(f"picture {index + 1} of the file: {error}")
    if inner.count > MOST_BEHIND:
        source.doubt(f"picture {index + 1} of the file has {inner.count} frames")
    for doubt in other.doubts:
        source.doubt(f"picture {index + 1} of the file: {doubt}")
    if found:
        turned = (upright(image, other.orientation) for image in found)
        yield index, [upright(image, still.back(source.orientation)) for image in turned], 0
