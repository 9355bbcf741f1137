"""Bounded decoding: one read of an untrusted file gives all that the checks and the console need.

The file is opened once (see `tasks.images.open_untrusted`), and its orientation is applied first. A
part that cannot be decoded is either a `PictureError` or a doubt; it is never ignored.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import IO

from PIL import Image

from tasks.images import file_formats
from tasks.images.frame_sampling import Sampler
from tasks.images.frame_views import PREVIEW_SIDE, VIEW, Frame, flatten, shrink, upright
from tasks.images.frames import Frames
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import Source, accepted, decoding, open_picture

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
        _inspect_tail(source)
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
        for at, shown in Frames(source, limits):
            if at in indexes and shown.image:
                preview = shrink(flatten(shown.image, "white"), PREVIEW_SIDE)
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
        for at, shown in Frames(source, limits):
            if at == index and shown.image:
                return _crops(upright(flatten(shown.image, "white"), source.orientation), boxes)
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


def _inspect_tail(source: Source) -> None:
    """Note bytes after the picture in its file; a doubt if they are another picture."""
    ranges = [(0, source.outline.end), *_mpo_ranges(source)]
    if file_formats.loose_picture(source.data, ranges):
        source.doubts.append("another picture follows the end of this one")
    elif size := file_formats.loose_bytes(source.data, ranges):
        source.notes.append(f"{size} bytes after the end of the picture")


def _mpo_ranges(source: Source) -> list[tuple[int, int]]:
    """The byte ranges of the further images of a multi-picture JPEG; they count as frames."""
    if source.image.format != "MPO":
        return []
    source.notes.append("second image (MPO) present")
    entries = getattr(source.image, "mpinfo", {}).get(0xB002, [])
    base = source.data.index(b"MPF\x00") + 4  # the origin of the entries' offsets
    starts = [base + entry["DataOffset"] for entry in entries[1:]]
    return [
        (start, end[0]) for start in starts if (end := file_formats.jpeg_end(source.data, start))
    ]


def _look(source: Source, limits: Limits) -> Picture:
    frames = Frames(source, limits)
    sampler = Sampler(source, frames.count, limits)
    for index, shown in frames:
        sampler.offer(index, shown)
    views, sampled = sampler.finish()
    width, height = frames.size
    return Picture(
        source.outline.format,
        accepted()[source.outline.format],
        *((height, width) if source.orientation >= 5 else (width, height)),
        frames.count,
        sampled,
        views,
        sampler.first_preview,
        source.notes,
        source.doubts,
    )
