"""The sweep: puts back what is stranded, and takes away what nobody owns.

All of it may run on several hosts at once: each step is a conditional update, or adds to the
queue what is added only where it is missing.
"""

from __future__ import annotations

import logging
import threading
from uuid import UUID

import redis

from models.clients.client import Client
from models.moderation import decision
from models.settings import get_settings
from models.submissions import submission
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import REVIEW
from tasks import storage as stores
from tasks.load import snapshot
from tasks.observability import metrics
from tasks.queue.lanes import enqueue_missing, missing, rank_of

BATCH = 1000
STRANDED_AFTER = 3.0  # seconds; a row is committed a moment before its job is in the queue
REPAY_EVERY = 0.1  # seconds between two looks at the debt while there is one
ORPHANED_AFTER = 3600.0  # seconds; longer than any upload takes to commit its row
log = logging.getLogger("sluice.sweep")
_suspects: list[str] = []  # orphans of the round before


def sweep() -> None:
    """One round; without Redis the rows wait in PostgreSQL, where the workers find them."""
    release()
    quarantine()
    try:
        requeue()
    except redis.RedisError as error:
        log.debug("Redis: %s", error)


def release() -> None:
    """Let go of submissions whose worker has died."""
    released = submission.release_expired()
    if released:
        log.warning("%d submissions put back: their worker died", released)


def quarantine() -> None:
    """Hand submissions that failed too often to a person."""
    for submission_id in submission.exhausted(get_settings().max_attempts):
        row = Submission.get_by_id(submission_id)
        client: Client = row.client
        if decision.quarantine(
            submission_id, get_settings().max_attempts, client.policy(get_settings())
        ):
            log.error("%s quarantined: %s", submission_id, row.error)
            metrics.verdict(REVIEW, row.mode, metrics.MACHINE)


def requeue() -> int:
    """Add jobs of open submissions that the queue does not hold, as far as there is room."""
    room = get_settings().max_queue_size - snapshot.read().depth
    if room <= 0:
        return 0
    rows = Submission.received_before(STRANDED_AFTER, min(room, BATCH))
    rows += Submission.queued_before(STRANDED_AFTER, BATCH)
    jobs = [(row[0], rank_of(row[1], row[2])) for row in rows]
    return _add(jobs[:room])


def repay(stop: threading.Event) -> None:
    """Add jobs of the review debt while there is little else to do, and more as they are done."""
    while _repay() and not stop.wait(REPAY_EVERY):
        pass


def _repay() -> bool:
    """Fill the queue up with debt; whether there was any, and room for it.

    No more than half of what makes a server busy, and often, so that the workers never run dry
    while anything is owed, and a flood that begins anew finds little before it. What was added
    before and still waits is the oldest of the debt: it is asked for as well, and left out.
    """
    load_now = snapshot.read()
    room = int(get_settings().sync_max_depth * 0.5) - load_now.depth
    if room <= 0 or not load_now.redis:
        return False
    owing = Submission.owing(room + load_now.depth)
    try:
        jobs = missing((owed, rank_of("normal", "", owed=True)) for owed in owing)
        _add(jobs[:room])
    except redis.RedisError as error:
        log.debug("Redis: %s", error)
        return False
    return bool(owing)


def _add(jobs: list[tuple[UUID, int]]) -> int:
    if not jobs:
        return 0
    added = enqueue_missing(jobs)
    submission.mark_queued(added)
    return len(added)


def remove_orphans() -> int:
    """Remove files that no row owns: of uploads that never came to a commit.

    Only those that the round before has found as well. A file's age is told by two clocks, and one
    that jumps ahead would make an upload look old that is about to commit.
    """
    storage = stores.of(get_settings())
    storage.tidy(ORPHANED_AFTER)
    orphans = {
        key
        for key in storage.originals_older_than(ORPHANED_AFTER)
        if not Image.select().where(Image.storage_key == key).exists()
    }
    suspects, _suspects[:] = set(_suspects), orphans
    orphans &= suspects
    for key in orphans:
        storage.remove(key)
    if orphans:
        log.warning("%d orphan files removed", len(orphans))
    return len(orphans)
