"""Retention: purges expired submissions in small batches, and deletes their files.

The rows are deleted first, in one transaction with a list of their files; then the files; then the
list. If it is killed at any point, no row lacks its file, and every file without a row is on the
list.
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

BATCH = 200  # submissions in one transaction, which takes about 50 ms
SHARE = 0.25  # of the time that it works, so that it does not slow down other work
FILES = 500  # files in one transaction
RETRY_AFTER = 300.0  # seconds
log = logging.getLogger("sluice.retention")


def purge(stop: threading.Event) -> int:
    """Purge all expired submissions, with a pause after each batch; returns their number."""
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
    """Finish erasures whose process died, and delete files that are due."""
    for request in Erasure.unfinished():
        log.warning("resuming an erasure: %s", request.alias)
        erase(request)
    while remove_files() == FILES:
        pass


def erase(request: Erasure) -> None:
    """Erase all that an author sent before the request, with files; safe to repeat."""
    while (keys := erasure.erase_next(request)) is not None:
        remove_files(keys)
    erasure.finish(request)


def remove_files(keys: Sequence[str] | None = None) -> int:
    """Delete files that are due, or those of ``keys``; returns the number of pictures.

    A worker that still has a picture may draw a thumbnail afterwards. No worker has a picture
    longer than ``PROCESSING_TIMEOUT``, so the files are deleted once more after that time.
    """
    storage, removed, failed = stores.of(get_settings()), [], []
    with db.atomic():
        due = file_removal.due(FILES if keys is None else len(keys), keys)
        for item in due:
            try:
                storage.remove(item.key, animated=item.animated)
                removed.append(item.key)
            except (OSError, StorageDown) as error:
                log.error("%s cannot be deleted: %s", item.key, error)
                failed.append(item.key)
        file_removal.done(removed, get_settings().processing_timeout + 60)
        if failed:
            file_removal.failed(failed, RETRY_AFTER)
    return len(due)
