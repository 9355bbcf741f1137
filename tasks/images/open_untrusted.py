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

from tasks.images import contents, file_formats
from tasks.images.containers import appended, boxes, exif, jpeg, png
from tasks.images.contents import Contents
from tasks.images.frame_views import VIEW
from tasks.images.limits import Limits, PictureError
from tasks.images.pixels import color, jpeg_warnings

DRAFT_SIDE = 8 * VIEW[0]  # a JPEG is decoded at reduced scale only above this, in pixels

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


Box = tuple[int, int, int, int]


@dataclass
class Source:
    """An opened file: the bytes for its decoder, the lazy image, and what its headers say.

    `frames` are its own; `further` are pictures behind it in the same file. `other_orientation` is
    one that some viewers apply instead; 0 if there is none. `crops` are the parts that viewers
    show, the first one in browsers; empty if all show the whole.
    """

    data: bytes
    outline: file_formats.Outline
    image: Image.Image
    size: tuple[int, int]
    frames: int
    orientation: int
    other_orientation: int
    contents: Contents
    readings: tuple[color.ColorReading, ...] = (color.SRGB,)
    crops: tuple[Box, ...] = ()
    further: list[Source] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @functools.cached_property
    def png_frames(self) -> list[png.PngFrame]:
        return png.frames(self.data)

    def doubt(self, problem: str) -> None:
        """A person must look at the picture, because of this."""
        if problem not in self.doubts:
            self.doubts.append(problem)


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
    """Open a file whose decoder is known by its first bytes. Raises `PictureError`."""
    outline = file_formats.outline(data)
    if outline is None or outline.format not in accepted():
        names = ", ".join(accepted())
        raise PictureError("unsupported", f"The format is not accepted. Accepted are: {names}.")
    _refuse_by_outline(outline, limits)
    its = contents.read(outline.format, data, outline.end)
    image = open_image(its.data, outline.format)
    size = image.size
    check_size(size, limits)
    _draft(image)
    source = Source(
        its.data,
        outline,
        image,
        size,
        outline.frames or int(getattr(image, "n_frames", 1)),
        *_orientations(outline.format, image, its),
        its,
        notes=list(its.notes),
        doubts=list(its.doubts),
    )
    _read_look(source)
    if not outline.closed:
        source.notes.append(contents.ENDLESS)
    return source


def _read_look(source: Source) -> None:
    """How the pixels are seen: their colours, and the part that is shown."""
    its, mode = source.contents, source.image.mode
    profile = (
        its.profile if source.outline.format != "HEIF" else source.image.info.get("icc_profile")
    )
    if color.is_unknown(profile, mode):
        source.doubt("its colour profile cannot be applied")
    found = color.readings(profile, mode)
    for other in its.other_profiles:
        found = (*found, *color.readings(other, mode))
    source.readings = tuple(dict.fromkeys(found))
    if its.damaged and source.outline.format == "PNG":
        source.doubt(contents.DAMAGED)
    if its.crop and (crop := boxes.crop_box(its.crop, source.size)):
        # Browsers show the whole of a picture whose crop does not begin at its corner.
        whole = (0, 0, *source.size)
        source.crops = (crop, whole) if crop[:2] == (0, 0) else (whole, crop)
        left, top, right, bottom = source.crops[0]
        source.size = right - left, bottom - top


def open_further(source: Source, data: bytes, limits: Limits) -> None:
    """Open each picture behind the first, note other bytes, and doubt what cannot be opened.

    A multi-picture JPEG has them, photos with a gain map (Ultra HDR), and files made to hide one.
    """
    start = min(source.contents.end, *source.contents.pictures, len(data))
    places, film, searched = appended.find(data, start)
    for begin, end in places[: appended.MOST]:
        _add(source, data[begin:end], limits, "follows the end of this one, and")
    for inside in source.contents.inside:
        _add(source, inside, limits, "in the file")
    if len(places) > appended.MOST:
        source.doubt(f"{len(places)} more pictures follow the end of this one")
    if not searched:
        source.doubt("what follows the end of the picture is too much to be looked at")
    if source.further:
        source.notes.append(f"further pictures in the file: {len(source.further)}")
    if film:
        source.notes.append(f"a film of {film} bytes follows the end of the picture")
    rest = appended.bare_bytes(data, source.contents.end, places) - film
    if rest > 0:
        source.notes.append(f"{rest} bytes after the end of the picture")


def _add(source: Source, data: bytes, limits: Limits, where: str) -> None:
    try:
        source.further.append(open_picture(data, limits))
    except (PictureError, *DECODER_ERRORS):
        source.doubt(f"another picture {where} cannot be read")


def open_image(data: bytes, name: str) -> Image.Image:
    """Open the bytes for a decoder."""
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
        code = "damaged" if outline.started else "unreadable"
        raise PictureError(code, "The file ends before the picture does.")
    if outline.scans > jpeg.MAX_SCANS:
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
    jpeg_warnings.preload()


def _orientations(name: str, image: Image.Image, its: Contents) -> tuple[int, int]:
    """The orientation as browsers read it, and another one that some viewers apply, or 0.

    XMP is ignored, as browsers ignore it. In AVIF and HEIF the boxes count, which Pillow's decoders
    give as EXIF.
    """
    if name in ("AVIF", "HEIF"):
        given = image.getexif().get(0x0112, 1) if image.info.get("exif") else 1
        return (given if given in range(1, 9) else 1), 0
    turn = exif.orientation(its.exif)
    others = exif.other_orientations([*its.exif, *its.other_exif]) | {1} - {turn}
    if name == "JPEG" and turn != 1 and len(its.exif) == 1:
        return turn, 0  # every viewer turns it
    return turn, max(others - {turn}, default=0)


def _draft(image: Image.Image) -> None:
    """Let libjpeg decode a large JPEG at 1/2 to 1/8, never below `DRAFT_SIDE` on its short side."""
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
