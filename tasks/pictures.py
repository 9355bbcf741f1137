"""Bounded decoding: one read of an untrusted file gives all that the checks and the console need.

The file is opened once, with the one decoder that its first bytes name; its size is known before
anything is decoded; orientation is applied before anything is looked at. What cannot be looked at
is either a `PictureError` or a doubt, never nothing.

Scores must stay those of `opennsfw2` (see `tests/fixtures/manifest.json`). So the classifier's
256 x 256 view is made from all the pixels by the same bilinear filter. Decoding JPEGs at a reduced
scale moved the scores of the fixtures by up to 0.045 when 4 pixels stood for one of the view and
by up to 0.027 with 6; hence `DRAFT_SIDE`, 8 for one.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import importlib.util
import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import (
    GifImagePlugin,  # noqa: F401  imported to register, so that Pillow need not load all plugins
    Image,
    ImageChops,
    ImageStat,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
    features,
)

from tasks import containers

VIEW = (256, 256)  # what opennsfw2's Preprocessing.YAHOO resizes to
DRAFT_SIDE = 8 * VIEW[0]  # a JPEG is decoded at reduced scale only above this, in pixels
PREVIEW_SIDE = 1280
MAX_SCANS = 100  # of a progressive JPEG; encoders write about 10, a bomb thousands
FRAME_COST = 50_000  # pixels that opening one more frame is worth, however small it is
CHANGE_SHARE = 4  # one sampled frame in this many is chosen for how much it changed
SAME_VIEW = 3  # levels of 255: alpha views that differ by no more are one view

_DECODER_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's plugins raise it for broken chunks
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112


def _accepted() -> dict[str, str]:
    """The formats that this installation can decode, by Pillow's name."""
    accepted = {
        "JPEG": "image/jpeg",
        "PNG": "image/png",
        "GIF": "image/gif",
        "WEBP": "image/webp",
    }
    if features.check("avif"):
        accepted["AVIF"] = "image/avif"
    if importlib.util.find_spec("pillow_heif"):
        accepted["HEIF"] = "image/heif"
    return accepted


ACCEPTED: dict[str, str] = _accepted()


class PictureError(Exception):
    """A picture that will not be looked at; the message is a sentence for a person.

    `code` is `unreadable` (cut, corrupt or lying), `too_large` (pixels, side, scans or memory) or
    `unsupported` (none of `ACCEPTED`).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Limits:
    """What a file may ask of us: pixels of one frame, its side, frames looked at, pixels in all."""

    max_pixels: int = 40_000_000
    max_side: int = 16_384
    max_frames: int = 200
    max_total_pixels: int = 400_000_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One view for the classifier: 256 x 256, RGB, upright. Several may share a frame's index."""

    index: int
    image: Image.Image


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


@dataclass
class _Source:
    """An opened file: its bytes, the lazy image, and what the headers say."""

    data: bytes
    outline: containers.Outline
    image: Image.Image
    size: tuple[int, int]
    frames: int
    orientation: int
    disputed: bool  # viewers do not agree on whether to turn it
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @functools.cached_property
    def png_frames(self) -> list[containers.PngFrame]:
        return containers.png_frames(self.data)


def read(path: str | os.PathLike[str], limits: Limits) -> Picture:
    """Decode the file at `path` within `limits`. Raises `PictureError`, or OSError if not there."""
    data = Path(path).read_bytes()
    with _decoding():
        source = _open(data, limits)
        _inspect_tail(source)
        return _look(source, limits)


def frame_preview(path: str | os.PathLike[str], index: int, limits: Limits) -> Image.Image:
    """Frame `index` of the file: RGB, upright, flattened on white, longest side up to 1280."""
    data = Path(path).read_bytes()
    with _decoding():
        source = _open(data, limits)
        for at, image in _walk(source, limits):
            if at == index:
                return _upright(_shrink(_flatten(image, "white"), PREVIEW_SIDE), source.orientation)
    raise PictureError("unreadable", f"The file has no frame {index} within the limits.")


def save_thumbnail(
    image: Image.Image, path_or_file: str | os.PathLike[str] | IO[bytes], *, longest: int = 640
) -> None:
    """Write `image`, longest side up to `longest` pixels, as WebP without any metadata."""
    small = _shrink(_flatten(image, "white"), longest)
    # Pillow would carry EXIF, XMP and the colour profile over from `info` where it finds them.
    small.save(path_or_file, "WEBP", quality=80, method=2, exif=b"", xmp=b"", icc_profile=b"")


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn whatever a decoder raises for hostile bytes into a `PictureError`."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise PictureError("too_large", "The picture needs more memory than allowed.") from error
    except _DECODER_ERRORS as error:
        raise PictureError("unreadable", f"The picture cannot be read: {error}.") from error


def _open(data: bytes, limits: Limits) -> _Source:
    outline = containers.outline(data)
    if outline is None or outline.format not in ACCEPTED:
        names = ", ".join(ACCEPTED)
        raise PictureError("unsupported", f"The file is none of the accepted pictures: {names}.")
    _refuse_by_outline(outline, limits)
    _register(outline.format)
    image = Image.open(io.BytesIO(data), formats=(outline.format,))
    _check_size(image.size, limits)
    orientation = _orientation(image)
    source = _Source(
        data,
        outline,
        image,
        image.size,
        outline.frames or int(getattr(image, "n_frames", 1)),
        orientation,
        # Browsers turn a JPEG by its one EXIF block; beyond that they differ, and so may its tag.
        disputed=orientation != 1
        and (outline.format != "JPEG" or data.count(b"Exif\x00\x00") != 1),
    )
    _draft(image)
    return source


def _refuse_by_outline(outline: containers.Outline, limits: Limits) -> None:
    # Size first: it is the better reason, and libwebp allocates its canvas on opening.
    if outline.size:
        _check_size(outline.size, limits)
    if not outline.complete:
        raise PictureError("unreadable", "The file ends before the picture does.")
    if outline.scans > MAX_SCANS:
        raise PictureError("too_large", f"The JPEG has {outline.scans} scans.")


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if max(size) > limits.max_side or width * height > limits.max_pixels:
        raise PictureError(
            "too_large",
            f"The picture is {width} x {height} pixels; at most {limits.max_pixels:,} in all and "
            f"{limits.max_side:,} a side are taken.",
        )
    if min(size) < 1:
        raise PictureError("unreadable", "The picture has no pixels.")


def _register(name: str) -> None:
    """Load the decoders that cost memory only when a file needs them."""
    if name == "AVIF":
        from PIL import AvifImagePlugin  # noqa: F401
    elif name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8. XMP is not asked: browsers do not turn pictures by it."""
    raw = image.info.get("exif")
    if not raw:
        return 1
    exif = Image.Exif()
    try:
        exif.load(raw)
        turn = exif.get(_ORIENTATION, 1)
    except _DECODER_ERRORS:
        return 1  # Viewers ignore a broken block, too.
    return turn if turn in _TURNS else 1


def _draft(image: Image.Image) -> None:
    """Let libjpeg decode a large JPEG at 1/2 to 1/8, never below `DRAFT_SIDE` on its short side."""
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))


def _inspect_tail(source: _Source) -> None:
    """Note what follows the picture in its file; doubt it where that is another picture."""
    known = [(0, source.outline.end), *_mpo_ranges(source)]
    if containers.loose_picture(source.data, known):
        source.doubts.append("another picture follows the end of this one")
    elif size := containers.loose_bytes(source.data, known):
        source.notes.append(f"{size} bytes after the end of the picture")


def _mpo_ranges(source: _Source) -> list[tuple[int, int]]:
    """Where the further images of a multi-picture JPEG lie; they are looked at like frames."""
    if source.image.format != "MPO":
        return []
    source.notes.append("second image (MPO) present")
    entries = getattr(source.image, "mpinfo", {}).get(0xB002, [])
    base = source.data.index(b"MPF\x00") + 4  # what the offsets of the entries count from
    starts = [base + entry["DataOffset"] for entry in entries[1:]]
    return [
        (start, found[0]) for start in starts if (found := containers.jpeg_end(source.data, start))
    ]


def _look(source: _Source, limits: Limits) -> Picture:
    taken = _Taken(source, limits)
    for index, image in _walk(source, limits):
        taken.offer(index, image)
    assert taken.preview is not None  # _walk yields at least the first frame or raises
    views, sampled = taken.finish()
    width, height = source.size
    return Picture(
        source.outline.format,
        ACCEPTED[source.outline.format],
        *((height, width) if source.orientation >= 5 else (width, height)),
        source.frames,
        sampled,
        views,
        taken.preview,
        source.notes,
        source.doubts,
    )


def _walk(source: _Source, limits: Limits) -> Iterator[tuple[int, Image.Image]]:
    """Every frame in order, decoded. Later frames build on earlier ones, so none can be skipped."""
    spent = 0
    for index in range(source.frames):
        spent += source.image.width * source.image.height + FRAME_COST
        if index and spent > limits.max_total_pixels:
            source.doubts.append(f"only the first {index} of {source.frames} frames were decoded")
            return
        source.image.seek(index)
        _check_size(source.image.size, limits)
        source.image.load()
        _check_whole(source, index)
        yield index, source.image


def _check_whole(source: _Source, index: int) -> None:
    """Catch the data that end early and that Pillow fills up in silence."""
    name, image = source.outline.format, source.image
    if name == "JPEG" and _ends_grey(image):
        source.doubts.append("the data end before the picture does")
    if name != "PNG":
        return
    suspect = source.frames > 1 or image.info.get("interlace") or _ends_black(image)
    if suspect and source.png_frames[index].is_short():
        raise PictureError("unreadable", "The data end before the picture does.")


def _ends_grey(image: Image.Image) -> bool:
    """Whether the last block is the mid-grey that libjpeg paints when it runs out of data.

    Pillow does not pass libjpeg's warnings on, so a JPEG cut short and closed again looks whole.
    """
    width, height = image.size
    if min(width, height) <= 16:
        return False
    colours = image.crop((width - 8, height - 8, width, height)).getcolors(1)
    if not colours:
        return False
    colour = colours[0][1]
    return set(colour if isinstance(colour, tuple) else (colour,)) <= {127, 128}


def _ends_black(image: Image.Image) -> bool:
    """Whether the last row is all zeros, as Pillow leaves what a PNG does not hold."""
    return image.crop((0, image.height - 1, image.width, image.height)).getbbox() is None


class _Taken:
    """The frames taken for the classifier: all, or an even sample and the largest changes."""

    def __init__(self, source: _Source, limits: Limits) -> None:
        self.source = source
        self.preview: Image.Image | None = None
        self._seen: set[bytes] = set()
        self._even: list[tuple[int, list[Image.Image]]] = []
        self._changed: list[tuple[float, int, list[Image.Image]]] = []  # a heap, least change first
        self._last_thumb: Image.Image | None = None
        self._all = source.frames <= limits.max_frames
        self._room = 0 if self._all else limits.max_frames // CHANGE_SHARE
        self._wanted = _evenly(source.frames, max(2, limits.max_frames - self._room))

    def offer(self, index: int, image: Image.Image) -> None:
        """Take what is wanted from a frame while it is decoded."""
        if index == 0:
            preview = _shrink(_flatten(image, "white"), PREVIEW_SIDE)
            self.preview = _upright(preview, self.source.orientation)
        change = 0.0 if self._all else self._change(image)
        if self._all or index in self._wanted:
            self._even.append((index, self._views(image)))
        elif self._room and (len(self._changed) < self._room or change > self._changed[0][0]):
            push = heapq.heappush if len(self._changed) < self._room else heapq.heapreplace
            push(self._changed, (change, index, self._views(image)))

    def finish(self) -> tuple[list[Frame], tuple[int, ...]]:
        """The distinct views in order of their frames, and the indexes that were looked at."""
        taken = sorted(
            [*self._even, *((index, views) for _, index, views in self._changed)],
            key=lambda pair: pair[0],
        )
        if len(taken) < self.source.frames:
            self.source.notes.append(f"frames sampled {len(taken)} of {self.source.frames}")
        views = [
            Frame(index, view)
            for index, squares in taken
            for view in squares
            if len(taken) == 1 or self._is_new(view)
        ]
        return views, tuple(index for index, _ in taken)

    def _views(self, image: Image.Image) -> list[Image.Image]:
        upright = _views(image, self.source.orientation)
        return [*upright, *_views(image, 1)] if self.source.disputed else upright

    def _is_new(self, view: Image.Image) -> bool:
        digest = hashlib.blake2b(view.tobytes(), digest_size=16).digest()
        new = digest not in self._seen
        self._seen.add(digest)
        return new

    def _change(self, image: Image.Image) -> float:
        thumb = _flatten(image, "white").resize((16, 16), Image.Resampling.BOX)
        last, self._last_thumb = self._last_thumb, thumb
        return sum(ImageStat.Stat(ImageChops.difference(last, thumb)).sum) if last else 0.0


def _evenly(count: int, wanted: int) -> frozenset[int]:
    """`wanted` indexes of `count`, evenly apart, the first and the last among them."""
    if count <= wanted:
        return frozenset(range(count))
    return frozenset(round(i * (count - 1) / (wanted - 1)) for i in range(wanted))


def _views(image: Image.Image, orientation: int) -> list[Image.Image]:
    """The 256 x 256 views of one decoded frame: one, or up to three with alpha.

    Composited on white, which is the reference; on black; and with alpha dropped, because a viewer
    that ignores it shows the colours hidden beneath.
    """
    white = _square(_flatten(image, "white"), orientation)
    if not _is_see_through(image):
        return [white]
    views = [white]
    for other in (_flatten(image, "black"), _as_rgba(image).convert("RGB")):
        square = _square(other, orientation)
        if all(_differ(square, view) for view in views):
            views.append(square)
    return views


def _differ(one: Image.Image, other: Image.Image) -> bool:
    bands = ImageChops.difference(one, other).getextrema()
    return any(high > SAME_VIEW for _, high in bands)  # type: ignore[misc]


def _square(image: Image.Image, orientation: int) -> Image.Image:
    """`image` turned upright, then resized to `VIEW`.

    The other order would be quicker, but it rounds otherwise: `reject_c_exif6.jpg` moved by 0.02.
    """
    return _upright(image, orientation).resize(VIEW, Image.Resampling.BILINEAR)


def _flatten(image: Image.Image, ground: str) -> Image.Image:
    """`image` as RGB, composited on the colour `ground`; the same object where nothing is to do."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image).convert("RGB")
    if not _is_see_through(image):
        return image.convert("RGB")
    rgba = _as_rgba(image)
    flat = Image.new("RGB", rgba.size, ground)
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return flat


def _eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit grey picture as `L`: the high byte, where a plain convert clips."""
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _is_see_through(image: Image.Image) -> bool:
    if image.mode.startswith(("I", "F")) or not image.has_transparency_data:
        return False
    low, _ = _as_rgba(image).getchannel("A").getextrema()
    return bool(low < 255)  # type: ignore[operator]


def _as_rgba(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGBA" else image.convert("RGBA")


def _shrink(image: Image.Image, longest: int) -> Image.Image:
    """A copy of `image` no longer than `longest` pixels on either side."""
    excess = max(image.size) / longest
    if excess <= 1:
        return image.copy()
    if excess >= 2:  # A box filter alone is four times as fast and looks the same.
        return image.reduce(math.ceil(excess))
    size = (max(1, round(image.width / excess)), max(1, round(image.height / excess)))
    return image.resize(size, Image.Resampling.BILINEAR)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
