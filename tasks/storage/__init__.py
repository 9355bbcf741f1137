"""Storage of the media: where originals and what is drawn of them lie, and how they get there.

One of two backends, by STORAGE_URL: a folder, or a bucket of an S3-compatible store.
"""

from __future__ import annotations

from functools import cache

from models.settings import Settings
from models.settings.urls import is_bucket
from tasks.storage.base import (
    ORIGINALS,
    THUMBNAILS,
    Storage,
    StorageDown,
    heat,
    original,
    still,
    thumbnail,
)
from tasks.storage.folder import Folder
from tasks.storage.upload import Upload

__all__ = [
    "ORIGINALS",
    "THUMBNAILS",
    "Storage",
    "StorageDown",
    "Upload",
    "heat",
    "of",
    "original",
    "still",
    "thumbnail",
]


@cache
def of(settings: Settings) -> Storage:
    """This process's storage; raises SettingError where it cannot be used."""
    if is_bucket(settings.storage_url):
        from tasks.storage.bucket import S3

        return S3(settings)
    return Folder(settings)
