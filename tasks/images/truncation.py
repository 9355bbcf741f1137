"""Detects data that end before the picture does, which Pillow fills up without an error.

Pillow itself refuses a GIF frame that ends early. A damaged JPEG gets a doubt if its markers or a
grey end show the damage. If they do not (Pillow hides libjpeg's warnings), it is judged as decoded,
which is also what viewers show.
"""

from __future__ import annotations

from PIL import Image

from tasks.images.limits import PictureError
from tasks.images.open_untrusted import Source


def check_whole(source: Source, index: int) -> None:
    """Raise PictureError or add a doubt if the data of frame ``index`` end early."""
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

    Pillow hides libjpeg's warnings, so a truncated JPEG with an end marker looks complete.
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
    """Whether the last row is all zeros, as Pillow leaves missing rows of a PNG."""
    return image.crop((0, image.height - 1, image.width, image.height)).getbbox() is None
