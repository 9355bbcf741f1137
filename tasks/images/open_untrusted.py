"""Opens an untrusted file once, with the one decoder that its first bytes name.

Its size is known before anything is decoded. Decoding JPEGs at a reduced scale moved the fixtures'
scores by up to 0.045 with 4 pixels per pixel of the classifier's view, and by up to 0.027 with 6;
hence `DRAFT_SIDE` with 8.
"""

from __future__ import annotations

import functools
import importlib
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from PIL import (
    GifImagePlugin,  # noqa: F401  registers it, so that Pillow does not load all plugins
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
    features,
)

from tasks.images import file_formats
from tasks.images.frame_views import TURNS, VIEW
from tasks.images.limits import Limits, PictureError

DRAFT_SIDE = 8 * VIEW[0]  # a JPEG is decoded at reduced scale only above this, in pixels
MAX_SCANS = 100  # of a progressive JPEG; encoders write about 10, a decompression bomb thousands

DECODER_ERRORS = (
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
_ORIENTATION = 0x0112
# Pillow imports these when a picture first needs them.
_LAZY = ("ImageCms", "ImageOps", "MpoImagePlugin", "TiffImagePlugin")


@functools.cache
def accepted() -> dict[str, str]:
    """The media types that this installation can decode, by Pillow's format name."""
    lacking = set()
    if not features.check("avif"):
        lacking.add("AVIF")
    if not file_formats.reads_heif():
        lacking.add("HEIF")
    formats = file_formats.FORMATS.items()
    return {name: one.media_type for name, one in formats if name not in lacking}


@dataclass
class Source:
    """An opened file: its bytes, the lazy image, and the data of its headers."""

    data: bytes
    outline: file_formats.Outline
    image: Image.Image
    size: tuple[int, int]
    frames: int
    orientation: int
    disputed: bool  # viewers differ in whether they turn it
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @functools.cached_property
    def png_frames(self) -> list[file_formats.PngFrame]:
        return file_formats.png_frames(self.data)


@contextmanager
def decoding() -> Iterator[None]:
    """Turn any error that a decoder raises for hostile bytes into a `PictureError`."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError("too_large", "The picture has too many pixels.") from error
    except MemoryError as error:
        raise PictureError("too_hungry", "The picture needs more memory than allowed.") from error
    except UnidentifiedImageError as error:
        raise PictureError("unreadable", "The picture's header is invalid.") from error
    except DECODER_ERRORS as error:
        raise PictureError("unreadable", f"The picture cannot be read: {error}.") from error


def open_picture(data: bytes, limits: Limits) -> Source:
    outline = file_formats.outline(data)
    if outline is None or outline.format not in accepted():
        names = ", ".join(accepted())
        raise PictureError("unsupported", f"The format is not accepted. Accepted are: {names}.")
    _refuse_by_outline(outline, limits)
    image = _open(data, outline.format)
    check_size(image.size, limits)
    orientation = _orientation(image)
    source = Source(
        data,
        outline,
        image,
        image.size,
        outline.frames or int(getattr(image, "n_frames", 1)),
        orientation,
        # Browsers turn a JPEG with one EXIF block; in all other cases they differ.
        disputed=orientation != 1
        and (outline.format != "JPEG" or data.count(b"Exif\x00\x00") != 1),
    )
    _draft(image)
    return source


def _open(data: bytes, name: str) -> Image.Image:
    register(name)
    if name == "AVIF":  # `Image.open` takes only some first brands; libavif looks at all of them
        from PIL.AvifImagePlugin import AvifImageFile

        return AvifImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data), formats=(name,))


def _refuse_by_outline(outline: file_formats.Outline, limits: Limits) -> None:
    # Size first: the clearer reason, and libwebp allocates its canvas when it opens a file.
    if outline.size:
        check_size(outline.size, limits)
    if not outline.complete:
        raise PictureError("unreadable", "The file ends before the picture does.")
    if outline.scans > MAX_SCANS:
        raise PictureError("too_large", f"The JPEG has {outline.scans} scans.")


def check_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if max(size) > limits.max_side or width * height > limits.max_pixels:
        raise PictureError(
            "too_large",
            f"The picture has {width} x {height} pixels; at most {limits.max_pixels:,} in all"
            f" and {limits.max_side:,} per side are allowed.",
        )
    if min(size) < 1:
        raise PictureError("unreadable", "The picture has no pixels.")


def register(name: str) -> None:
    """Load the decoders that cost memory only when a file needs them."""
    if name == "AVIF":
        from PIL import AvifImagePlugin  # noqa: F401
    elif name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()


def preload() -> None:
    """Import all that decoding may need, 1 MB: a confined process can open no module's file."""
    Image.preinit()
    for name in accepted():
        register(name)
    for module in _LAZY:
        importlib.import_module(f"PIL.{module}")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8. XMP is ignored, as browsers ignore it."""
    raw = image.info.get("exif")
    if not raw:
        return 1
    exif = Image.Exif()
    try:
        exif.load(raw)
        turn = exif.get(_ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1  # viewers ignore a broken block too
    return turn if turn in TURNS else 1


def _draft(image: Image.Image) -> None:
    """Let libjpeg decode a large JPEG at 1/2 to 1/8, never below `DRAFT_SIDE` on its short side."""
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
