"""Retention: purges what is past its days, a little at a time, and removes files that nobody owns.

The rows go first, in one transaction with the list of their files; then the files; then the list.
Killed at any point, it leaves no row without its file and no file that is on no list.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from models.database.connection import db
from models.privacy import erasure, file_removal, retention
from models.privacy.erasure import Erasure
from models.settings import get_settings
from tasks import storage as stores
from tasks.storage import StorageDown

BATCH = 200  # submissions in one transaction: some 50 ms
SHARE = 0.25  # of the time that it works at all, so that the live work is not held up
FILES = 500
AGAIN_AFTER_FAILURE = 300.0  # seconds
log = logging.getLogger("sluice.retention")


def purge(stop: threading.Event) -> int:
    """Purge all that is due, pausing after every batch; returns how many submissions."""
    if not get_settings().retention_days:
        return 0
    total = 0
    while not stop.is_set():
        started = time.monotonic()
        count = retention.purge_due(get_settings().retention_days, BATCH)
        remove_files()
        total += count
        if count < BATCH:
            break
        stop.wait((time.monotonic() - started) * (1 / SHARE - 1))
    retention.purge_rest(get_settings().retention_days)
    if total:
        log.info("%d submissions purged after %d days", total, get_settings().retention_days)
    return total


def tidy() -> None:
    """Finish erasures whose process died, and remove files that are due."""
    for asked in Erasure.unfinished():
        log.warning("an erasure is taken up again: %s", asked.alias)
        erase(asked)
    while remove_files() == FILES:
        pass


def erase(asked: Erasure) -> None:
    """Erase all that an author sent before the request, files too; safe to do twice."""
    while (keys := erasure.erase_next(asked)) is not None:
        remove_files(keys)
    erasure.finish(asked)


def remove_files(keys: Sequence[str] | None = None) -> int:
    """Remove files that are due, of these keys where some are named; returns how many pictures.

    A worker that still held a picture may draw it after that. No worker holds one longer than
    ``PROCESSING_TIMEOUT``, so they are looked for once more after it.
    """
    storage, gone, kept = stores.of(get_settings()), [], []
    with db.atomic():
        due = file_removal.due(FILES if keys is None else len(keys), keys)
        for item in due:
            try:
                storage.remove(item.key, animated=item.animated)
                gone.append(item.key)
            except (OSError, StorageDown) as error:
                log.error("%s is not removed: %s", item.key, error)
                kept.append(item.key)
        file_removal.done(gone, get_settings().processing_timeout + 60)
        if kept:
            file_removal.failed(kept, AGAIN_AFTER_FAILURE)
    return len(due)
