"""Names of stored files.

An image's ``key`` is ``DAY/ID``, so that no folder grows without bound. Its files are named by
``original``, ``thumbnail``, ``heat`` and ``still``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

ORIGINALS, THUMBNAILS = "originals", "thumbs"


def original(key: str) -> str:
    """The name of an original."""
    return f"{ORIGINALS}/{key}"


def thumbnail(key: str) -> str:
    """The name of a thumbnail, which exists if the image's row says so."""
    return f"{THUMBNAILS}/{key}.webp"


def heat(key: str) -> str:
    """The name of a heatmap, which exists if the image's row says so."""
    return f"{THUMBNAILS}/{key}.heat.webp"


def still(key: str, frame: int) -> str:
    """The name of one drawn frame of an animation; the image's row lists the drawn ones."""
    return f"{THUMBNAILS}/{key}.frame{frame}.webp"


def new_key(image_id: UUID) -> str:
    """The key of a new image, in today's folder."""
    return f"{datetime.now(UTC):%Y-%m-%d}/{image_id}"
