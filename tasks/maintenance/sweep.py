"""The sweep: requeues stranded submissions, rechecks what undone blocks left, deletes orphans.

It may run on several hosts at once: each step is a conditional update, or adds a job only if it is
not queued.
"""

from __future__ import annotations

import logging
import threading

import redis

from models.clients.client import Client
from models.moderation import decision
from models.review import followers
from models.settings import get_settings
from models.submissions import lease
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import REVIEW
from tasks import storage as stores
from tasks.load import snapshot
from tasks.observability import metrics
from tasks.queue.lane_storage import DEBT_RANK
from tasks.queue.lanes import QueuedJob, enqueue_missing, get_huey, missing, rank_of

BATCH = 1000
STRANDED_AFTER = 3.0  # seconds; a row is committed just before its job is queued
DEBT_AHEAD = 0.1  # of SYNC_MAX_DEPTH: debts that stay in the queue while uploads wait
DEBT_EVERY = 0.1  # seconds between two rounds while there is review debt
ORPHANED_AFTER = 3600.0  # seconds; longer than any upload takes to commit its row
log = logging.getLogger("sluice.sweep")
_suspects: list[str] = []  # orphans of the last round


def sweep() -> None:
    """One round; while Redis is down the rows wait in PostgreSQL, where the workers claim them."""
    release()
    quarantine()
    try:
        requeue()
    except redis.RedisError as error:
        log.debug("Redis: %s", error)


def release() -> None:
    """Release the submissions of dead workers."""
    released = lease.release_expired()
    if released:
        log.warning("%d submissions released: their worker died", released)


def quarantine() -> None:
    """Send submissions that failed too often to a person."""
    for submission_id in lease.exhausted(get_settings().max_attempts):
        row = Submission.get_by_id(submission_id)
        client: Client = row.client
        if decision.quarantine(
            submission_id, get_settings().max_attempts, client.policy(row.surface)
        ):
            log.error("%s quarantined: %s", submission_id, row.error)
            metrics.verdict(REVIEW, row.mode, metrics.MACHINE)


def requeue() -> int:
    """Enqueue open submissions that are not queued, up to the queue's limit."""
    room = get_settings().max_queue_size - snapshot.read().depth
    if room <= 0:
        return 0
    rows = Submission.received_before(STRANDED_AFTER, min(room, BATCH))
    rows += Submission.queued_before(STRANDED_AFTER, BATCH)
    jobs = [
        QueuedJob(id_, rank_of(priority, mode), client, weight)
        for id_, priority, mode, client, weight in rows
    ]
    return _add(jobs[:room])


def enqueue_debt(stop: threading.Event) -> None:
    """Enqueue review debt while the queue is short, and more as it is worked off."""
    while _enqueue_debt() and not stop.wait(DEBT_EVERY):
        pass


def _enqueue_debt() -> bool:
    """Enqueue review debt, riskiest and oldest first; returns whether there was debt and room.

    While the queue is short, debt fills half of ``SYNC_MAX_DEPTH``. So workers never idle while
    there is debt, and a new burst of uploads finds a short queue. While uploads wait, a few debts
    stay in the queue, of which the workers take ``REVIEW_DEBT_SHARE``: a flood does not delay the
    checks of what it was let through by. The query also returns debt that is already queued.
    """
    load = snapshot.read()
    if not load.redis:
        return False
    try:
        queued = get_huey().storage.queued_debt()
        most = get_settings().sync_max_depth
        ahead = max(1, int(most * DEBT_AHEAD))
        room = max(int(most * 0.5) - load.depth, ahead - queued)
        if room <= 0:
            return False
        owing = Submission.owing(room + queued)
        _add(missing(QueuedJob(owed, DEBT_RANK, 0) for owed in owing)[:room])
    except redis.RedisError as error:
        log.debug("Redis: %s", error)
        return False
    return bool(owing)


def _add(jobs: list[QueuedJob]) -> int:
    if not jobs:
        return 0
    added = enqueue_missing(jobs)
    lease.mark_queued(added)
    return len(added)


def recheck_undone(stop: threading.Event) -> int:
    """Send back to the checks what the undo of a block left, in batches; returns the number."""
    total = 0
    while not stop.is_set() and (count := followers.recheck_left(get_settings())):
        total += count
    if total:
        log.info("%d uploads go back to the checks: the block that rejected them is undone", total)
    return total


def remove_orphans() -> int:
    """Delete files without a row, which are of uploads that were never committed.

    A file must be an orphan in two rounds. Its age compares two clocks: if one jumps ahead, an
    upload that is about to commit looks old.
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
        log.warning("%d orphaned files deleted", len(orphans))
    return len(orphans)
