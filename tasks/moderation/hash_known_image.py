"""Perceptual hashes of known images that were uploaded as pictures: a worker computes them."""

from __future__ import annotations

import logging

from models.hash_bank import known_hash
from models.hash_bank.known_hash import TOO_PLAIN, KnownHash
from models.settings import get_settings
from models.submissions.image import MIN_PDQ_QUALITY
from tasks import storage as stores
from tasks.classifier.base import ClassifierDown
from tasks.hash_bank.view_hashes import ViewHashes, worst_view
from tasks.images.limits import Limits, PictureError
from tasks.moderation.job import decoder
from tasks.storage import original

log = logging.getLogger("sluice.hash_bank")


def learn(number: int) -> None:
    """Decode an entry's picture and add its PDQ hash to the bank, or note why there is none.

    Of an animation the worst frame is hashed. The hash stays owed if the classifier is down, or if
    the entry is removed: no undo would remove a hash that is added afterwards.
    """
    row: KnownHash | None = KnownHash.get_or_none(
        KnownHash.id == number, KnownHash.look_owed, KnownHash.removed_at.is_null()
    )
    if row is None:
        return
    storage = stores.of(get_settings())
    key = row.picture or (row.image.storage_key if row.image_id else "")
    try:
        if not key:
            raise FileNotFoundError
        limits = Limits(get_settings().max_pixels, max_frames=get_settings().max_frames)
        with storage.file(original(key)) as path:
            picture = decoder().look(path, limits)
        code, quality = ViewHashes(picture).of(worst_view(picture.views))
    except PictureError as error:
        known_hash.add_perceptual(number, None, f"the picture cannot be read: {error}")
    except FileNotFoundError:
        known_hash.add_perceptual(number, None, "the picture is gone")
    except ClassifierDown as error:
        log.warning("known image %d is not hashed yet: %s", number, error)
        return
    else:
        plain = quality < MIN_PDQ_QUALITY
        known_hash.add_perceptual(number, None if plain else code, TOO_PLAIN if plain else "")
    if row.picture and not KnownHash.find(number).look_owed:
        storage.remove_original(row.picture)
