"""Bounded decoding: one read of an untrusted file gives all that the checks and the console need.

The file is opened once (see `tasks.images.open_untrusted`); orientation is applied before anything
is looked at. What cannot be looked at is either a `PictureError` or a doubt, never nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import IO

from PIL import Image

from tasks.images import file_formats
from tasks.images.frame_sampling import Sampler
from tasks.images.frame_views import PREVIEW_SIDE, VIEW, Frame, flatten, shrink, upright
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import Source, accepted, check_size, decoding, open_picture
from tasks.images.truncation import check_whole

__all__ = [
    "VIEW",
    "Frame",
    "Limits",
    "Picture",
    "PictureError",
    "accepted",
    "frame_preview",
    "frame_previews",
    "read",
    "save_thumbnail",
]

File = str | os.PathLike[str] | int  # a path, or the descriptor of an open file
FRAME_COST = 50_000  # pixels that opening one more frame is worth, however small it is


@dataclass
class Picture:
    """A picture that was looked at. `width` and `height` are upright, in pixels.

    `views` holds every sampled frame, less those that repeat an earlier view to the last bit, and
    more where one frame can be seen in several ways (alpha, a disputed orientation). `notes` are
    for the record; any of `doubts` must send the picture to a person.
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
    """Decode `file` within `limits`. Raises `PictureError`, or OSError if it is not there."""
    data = _bytes(file)
    with decoding():
        source = open_picture(data, limits)
        _inspect_tail(source)
        return _look(source, limits)


def _bytes(file: File) -> bytes:
    # Whoever hands an open file over keeps it open, and closes it.
    with open(file, "rb", buffering=0, closefd=not isinstance(file, int)) as raw:
        return raw.read()


def frame_preview(file: File, index: int, limits: Limits) -> Image.Image:
    """Frame `index` of the file: RGB, upright, flattened on white, longest side up to 1280."""
    found = frame_previews(file, [index], limits)
    if index not in found:
        raise PictureError("unreadable", f"The file has no frame {index} within the limits.")
    return found[index]


def frame_previews(file: File, indexes: Collection[int], limits: Limits) -> dict[int, Image.Image]:
    """The frames of these indexes as `frame_preview` gives them, in one walk; those there are."""
    data = _bytes(file)
    found: dict[int, Image.Image] = {}
    with decoding():
        source = open_picture(data, limits)
        for at, image in _walk(source, limits):
            if at in indexes:
                preview = shrink(flatten(image, "white"), PREVIEW_SIDE)
                found[at] = upright(preview, source.orientation)
            if len(found) == len(indexes):
                break
    return found


def save_thumbnail(
    image: Image.Image, path_or_file: str | os.PathLike[str] | IO[bytes], *, longest: int = 640
) -> None:
    """Write `image`, longest side up to `longest` pixels, as WebP without any metadata."""
    small = shrink(flatten(image, "white"), longest)
    # Pillow would carry EXIF, XMP and the colour profile over from `info` where it finds them.
    small.save(path_or_file, "WEBP", quality=80, method=2, exif=b"", xmp=b"", icc_profile=b"")


def _inspect_tail(source: Source) -> None:
    """Note what follows the picture in its file; doubt it where that is another picture."""
    known = [(0, source.outline.end), *_mpo_ranges(source)]
    if file_formats.loose_picture(source.data, known):
        source.doubts.append("another picture follows the end of this one")
    elif size := file_formats.loose_bytes(source.data, known):
        source.notes.append(f"{size} bytes after the end of the picture")


def _mpo_ranges(source: Source) -> list[tuple[int, int]]:
    """Where the further images of a multi-picture JPEG lie; they are looked at like frames."""
    if source.image.format != "MPO":
        return []
    source.notes.append("second image (MPO) present")
    entries = getattr(source.image, "mpinfo", {}).get(0xB002, [])
    base = source.data.index(b"MPF\x00") + 4  # what the offsets of the entries count from
    starts = [base + entry["DataOffset"] for entry in entries[1:]]
    return [
        (start, found[0])
        for start in starts
        if (found := file_formats.jpeg_end(source.data, start))
    ]


def _look(source: Source, limits: Limits) -> Picture:
    taken = Sampler(source, limits)
    for index, image in _walk(source, limits):
        taken.offer(index, image)
    views, sampled = taken.finish()
    width, height = source.size
    return Picture(
        source.outline.format,
        accepted()[source.outline.format],
        *((height, width) if source.orientation >= 5 else (width, height)),
        source.frames,
        sampled,
        views,
        taken.first_preview,
        source.notes,
        source.doubts,
    )


def _clocks() -> tuple[float, float]:
    """Seconds of the processor, and half of those by the clock: others may have most of it."""
    return time.process_time(), time.monotonic() / 2


def _walk(source: Source, limits: Limits) -> Iterator[tuple[int, Image.Image]]:
    """Every frame in order, decoded. Later frames build on earlier ones, so none can be skipped."""
    spent, begun = 0, _clocks()
    for index in range(source.frames):
        spent += source.image.width * source.image.height + FRAME_COST
        if index and spent > limits.max_total_pixels:
            source.doubts.append(f"only the first {index} of {source.frames} frames were decoded")
            return
        taken = max(now - then for now, then in zip(_clocks(), begun, strict=True))
        if index and 0 < limits.seconds < taken:
            source.doubts.append(f"only {index} of {source.frames} frames were decoded in time")
            return
        source.image.seek(index)
        check_size(source.image.size, limits)
        source.image.load()
        check_whole(source, index)
        yield index, source.image
