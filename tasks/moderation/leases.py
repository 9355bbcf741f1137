"""Leases: a worker claims submissions, a thread renews the lease, and ends a worker that is stuck.

Gain of the thread: one serves the whole process. To start and join one for each job costs about
0.1 ms, and to renew a lease between two jobs would cost a round trip to PostgreSQL while the
network waits.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID, uuid4

import peewee

from models.database.connection import connection
from models.settings import Settings, get_settings
from models.submissions.lease import claim, claim_any, claim_several, renew
from models.submissions.submission import Submission
from tasks.moderation.job import Job

STUCK = 70  # exit code of a worker that ends itself
log = logging.getLogger("sluice.lease")


@dataclass(slots=True)
class RenewedLease:
    """A lease, its submissions, and the one that is worked on since ``since`` (monotonic)."""

    lease: str
    submission_ids: Sequence[UUID]
    current: UUID | None
    since: float

    def work_on(self, submission_id: UUID) -> None:
        """The work on this submission begins."""
        self.current, self.since = submission_id, time.monotonic()


class LeaseRenewal:
    """Renews every lease of this process at a third of ``LEASE_SECONDS``."""

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._longest = settings.lease_seconds, settings.processing_timeout
        self._renewed: dict[str, RenewedLease] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def renewing(self, jobs: Sequence[Job], lease: str) -> Iterator[RenewedLease]:
        """Renew the lease of these jobs during the block."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
            self._thread.start()
        submission_ids = [job.submission.id for job in jobs]
        renewed = RenewedLease(lease, submission_ids, None, time.monotonic())
        self._renewed[lease] = renewed
        try:
            yield renewed
        finally:
            self._renewed.pop(lease, None)

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds / 3)
            for renewed in list(self._renewed.values()):
                self._renew_or_exit(renewed)

    def _renew_or_exit(self, renewed: RenewedLease) -> None:
        """Renew a lease. After ``PROCESSING_TIMEOUT`` on one submission the process ends itself:
        native code ignores Python signals, so nothing milder would stop it."""
        if time.monotonic() - renewed.since > self._longest:
            log.critical("stuck on %s: this worker ends itself", renewed.current)
            os._exit(STUCK)
        try:
            with connection():
                renew(renewed.submission_ids, renewed.lease, self._seconds)
        except peewee.PeeweeException as error:
            log.warning("lease of %s not renewed: %s", renewed.current, error)


class Claimed(NamedTuple):
    """Submissions that were claimed together, and the lease that the claim gave them."""

    lease: str
    submissions: Sequence[Submission]


NOTHING = Claimed("", [])


def claim_alone(submission_id: UUID, worker: str) -> Claimed:
    """Claim one submission; nothing if it is done, claimed, or failed ``MAX_ATTEMPTS`` times."""
    lease, settings = new_lease(worker), get_settings()
    submission = claim(
        submission_id, lease, seconds=settings.lease_seconds, attempts=settings.max_attempts
    )
    return Claimed(lease, [submission] if submission else [])


def claim_together(submission_ids: Sequence[UUID], worker: str, alone: list[UUID]) -> Claimed:
    """Claim several that nobody has tried yet; the ids of the others are added to ``alone``."""
    if not submission_ids:
        return NOTHING
    lease = new_lease(worker)
    submissions = claim_several(submission_ids, lease, seconds=get_settings().lease_seconds)
    claimed = {submission.id for submission in submissions}
    alone += [each for each in submission_ids if each not in claimed]
    return Claimed(lease, submissions)


def claim_next(worker: str) -> Claimed:
    """Claim the next submission in PostgreSQL, without the queue; nothing if there is none."""
    lease, settings = new_lease(worker), get_settings()
    submission = claim_any(lease, seconds=settings.lease_seconds, attempts=settings.max_attempts)
    return Claimed(lease, [submission] if submission else [])


def new_lease(worker: str) -> str:
    """A lease that no other claim has."""
    return f"{worker}:{uuid4().hex[:12]}"
