"""Media type and dimensions of a picture from its first bytes, without decoding it."""

from __future__ import annotations

import imagesize

from models.errors import TooLarge, Unsupported
from models.settings import Settings
from tasks.images import file_formats
from tasks.images.file_formats import FORMATS
from tasks.images.limits import Limits
from tasks.storage import Upload

LONGEST_SIDE = Limits.max_side
ALWAYS = [one for name, one in FORMATS.items() if name != "HEIF"]
ACCEPTED_TYPES = tuple(one.media_type for one in ALWAYS)
ACCEPTED = ", ".join(one.shown for one in ALWAYS[:-1]) + f" or {ALWAYS[-1].shown}"


def inspect(upload: Upload, settings: Settings) -> None:
    """Set the upload's type and dimensions; raises Unsupported or TooLarge.

    The header can be false: the worker's decoder checks it again. This check refuses early the
    pictures whose header already exceeds the limits.
    """
    if not upload.size:
        raise Unsupported(f"{upload.given_name!r} is empty.", field="images")
    name = file_formats.sniff(upload.head)
    if name is None or (name == "HEIF" and not file_formats.reads_heif()):
        raise Unsupported(f"{upload.given_name!r} is not a {ACCEPTED} picture.", field="images")
    upload.media_type = FORMATS[name].media_type
    upload.flush()
    width, height = imagesize.get(str(upload.path))
    if width > LONGEST_SIDE or height > LONGEST_SIDE or width * height > settings.max_pixels:
        raise TooLarge(
            f"An image of {width:,} × {height:,} pixels is larger than"
            f" {settings.max_pixels // 1_000_000} megapixels or {LONGEST_SIDE:,} a side.",
            field="images",
        )
    upload.width, upload.height = (width, height) if width > 0 else (None, None)
