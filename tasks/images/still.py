"""A decoded frame as it is seen: whole or in part, in each reading of its colours and its crop.

Browsers show a damaged file as far as it goes, so what is there is scored and a person looks. It is
decided by the data, never by the colour of the pixels: a flat grey or black part may be a picture.
"""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageFile

from tasks.images.contents import DAMAGED, INCOMPLETE
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import DECODER_ERRORS, Source, check_size, open_image
from tasks.images.pixels import color, jpeg_warnings, png_alpha

_BACK = {6: 8, 8: 6}  # the other turns undo themselves


def load(source: Source, index: int, limits: Limits) -> bool:
    """Decode frame `index` into `source.image`, as far as its data go; whether there is one.

    What is missing becomes a doubt. Raises `PictureError` if nothing of the first frame is decoded.
    """
    try:
        _decode(source, index, limits)
    except DECODER_ERRORS as error:
        if not _decode_part(source, index, limits):
            if index:
                return False
            # Browsers may show a part of these, which these decoders do not give.
            code = "damaged" if source.outline.started else "unreadable"
            raise PictureError(code, f"The picture cannot be read: {error}.") from error
    _check_whole(source, index)
    return True


def _decode(source: Source, index: int, limits: Limits) -> None:
    source.image.seek(index)
    check_size(source.image.size, limits)
    source.image.load()


def _decode_part(source: Source, index: int, limits: Limits) -> bool:
    """Open the file again and decode what its data contain, as browsers do."""
    source.doubt(DAMAGED)
    if _decode_again(source, index, limits):
        return True
    if source.contents.first_scan is None:
        return False
    source.data = source.contents.first_scan()
    return _decode_again(source, index, limits)


def _decode_again(source: Source, index: int, limits: Limits) -> bool:
    try:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        source.image = open_image(source.data, source.outline.format)
        _decode(source, index, limits)
    except DECODER_ERRORS:
        return False
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    return bool(index) or not _is_flat(source)


def _check_whole(source: Source, index: int) -> None:
    """Add a doubt if data of frame ``index`` are missing or broken."""
    name = source.outline.format
    if name == "JPEG":
        broken = jpeg_warnings.is_broken(source.data)
        if source.contents.damaged if broken is None else broken:
            source.doubt(DAMAGED)
        elif source.contents.lacks_data:
            source.doubt(INCOMPLETE)
    elif name == "PNG":
        _check_png(source, index)


def _check_png(source: Source, index: int) -> None:
    if source.contents.damaged:
        source.doubt(DAMAGED)
    frames = source.png_frames
    # Of a still picture whose last row is not empty, all rows are there.
    suspect = source.frames > 1 or source.image.info.get("interlace") or _ends_empty(source)
    if index < len(frames) and suspect and (missing := frames[index].missing()):
        if missing >= frames[index].claimed:
            raise PictureError("unreadable", "The picture has no data that can be read.")
        source.doubt(INCOMPLETE)


def _ends_empty(source: Source) -> bool:
    """Whether the last row is all zeros, as Pillow leaves missing rows of a PNG."""
    image = source.image
    return image.crop((0, image.height - 1, image.width, image.height)).getbbox() is None


def _is_flat(source: Source) -> bool:
    """Whether a damaged picture has one colour only: nothing of it was decoded."""
    extrema = source.image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in bands)


def readings(source: Source, image: Image.Image) -> Iterator[Image.Image]:
    """The frame as browsers show it, then as other viewers do."""
    if source.outline.format == "PNG" and image.mode != "RGBA":
        image = png_alpha.applied(image, source.data)
    for part in [image.crop(crop) for crop in source.crops] or [image]:
        for reading in source.readings:
            yield color.painted(part, reading)


def back(orientation: int) -> int:
    """The orientation that undoes this one."""
    return _BACK.get(orientation, orientation)
