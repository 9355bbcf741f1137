"""Media type and dimensions of a picture from its first bytes, without decoding it."""

from __future__ import annotations

from importlib.util import find_spec

import imagesize

from models.errors import TooLarge, Unsupported
from models.settings import Settings
from tasks.storage import Upload

LONGEST_SIDE = 16_384
ACCEPTED = "JPEG, PNG, GIF, WebP or AVIF"
ACCEPTED_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif")
HEIF_BRANDS = (b"heic", b"heix", b"mif1", b"msf1")


def media_type(head: bytes) -> str | None:
    """The media type of an accepted format from the first bytes of a file; None for others."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "image/avif"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return "image/heif"
    return None


def inspect(upload: Upload, settings: Settings) -> None:
    """Set the upload's type and dimensions; raises Unsupported or TooLarge.

    The header can be false: the worker's decoder checks it again. This check refuses early the
    pictures whose header already exceeds the limits.
    """
    if not upload.size:
        raise Unsupported(f"{upload.given_name!r} is empty.", field="images")
    upload.media_type = media_type(upload.head) or ""
    if not upload.media_type or (upload.media_type == "image/heif" and not _reads_heif()):
        raise Unsupported(f"{upload.given_name!r} is not a {ACCEPTED} picture.", field="images")
    upload.flush()
    width, height = imagesize.get(str(upload.path))
    if width > LONGEST_SIDE or height > LONGEST_SIDE or width * height > settings.max_pixels:
        raise TooLarge(
            f"An image of {width:,} × {height:,} pixels is larger than"
            f" {settings.max_pixels // 1_000_000} megapixels or {LONGEST_SIDE:,} a side.",
            field="images",
        )
    upload.width, upload.height = (width, height) if width > 0 else (None, None)


def _reads_heif() -> bool:
    return find_spec("pillow_heif") is not None
