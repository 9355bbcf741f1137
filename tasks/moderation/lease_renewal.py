"""Lease renewal: a thread keeps the claims of the current work, and ends a worker that is stuck.

Gain: one thread serves the whole process. To start and join one for each job costs about 0.1 ms,
and to renew a lease between two jobs would cost a round trip to PostgreSQL while the network waits.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import peewee

from models.database.connection import connection
from models.settings import Settings
from models.submissions.submission import renew
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
