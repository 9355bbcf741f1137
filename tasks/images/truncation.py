"""Data that end before the picture does, and that Pillow fills up in silence.

A GIF frame that stops early is refused by Pillow itself. A JPEG that is damaged within its data is
doubted where its markers or a grey end tell. Where they do not (Pillow hides libjpeg's warnings),
it is judged by what viewers show of it, too.
"""

from __future__ import annotations

from PIL import Image

from tasks.images.limits import PictureError
from tasks.images.open_untrusted import Source


def check_whole(source: Source, index: int) -> None:
    """Catch the data that end early and that Pillow fills up in silence."""
    name, image = source.outline.format, source.image
    if name == "JPEG" and index == 0 and source.outline.damaged:
        source.doubts.append("the data are damaged")
    elif name == "JPEG" and _ends_grey(image):
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
