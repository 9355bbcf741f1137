"""Storage of originals, thumbnails and heatmaps: a folder or an S3 bucket, by STORAGE_URL.

Open ``base.py`` first: what a storage can do. ``names.py`` names its files, ``folder.py`` and
``bucket.py`` are the two backends, ``upload.py`` writes and hashes one file.
"""

from __future__ import annotations

from functools import cache

from models.settings import Settings
from models.settings.urls import is_bucket
from tasks.storage.base import UNWRITABLE, MediaUnwritable, Storage, StorageDown
from tasks.storage.folder import Folder
from tasks.storage.names import ORIGINALS, THUMBNAILS, heat, original, still, thumbnail
from tasks.storage.upload import Upload

__all__ = [
    "ORIGINALS",
    "THUMBNAILS",
    "UNWRITABLE",
    "MediaUnwritable",
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
    """This process's storage; raises SettingError if it cannot be used."""
    if is_bucket(settings.storage_url):
        from tasks.storage.bucket import S3

        return S3(settings)
    return Folder(settings)
