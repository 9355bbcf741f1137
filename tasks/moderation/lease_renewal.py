"""Holding a claim: a thread renews the lease of the job at hand, and ends a worker that is stuck.

One thread a process, not one a job: a job takes some 30 ms, starting a thread each time would
show.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import peewee

from models.database.connection import connection
from models.settings import Settings
from models.submissions import submission

log = logging.getLogger("sluice.hold")
STUCK = 70  # exit code of a worker that ends itself


@dataclass(slots=True)
class Held:
    """The submissions of a claim, and since when (monotonic seconds) the one at hand is."""

    ids: list[UUID]
    lease: str
    at_hand: UUID | None
    since: float

    def work_on(self, submission_id: UUID) -> None:
        """The work on this one begins."""
        self.at_hand, self.since = submission_id, time.monotonic()


class Holder:
    """Renews the leases of what this process works on."""

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._longest = settings.lease_seconds, settings.processing_timeout
        self._held: dict[str, Held] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def holding(self, ids: list[UUID], lease: str) -> Iterator[Held]:
        """Keep the claim on these alive for the block."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="holder", daemon=True)
            self._thread.start()
        held = self._held[lease] = Held(ids, lease, None, time.monotonic())
        try:
            yield held
        finally:
            self._held.pop(lease, None)

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds / 3)
            for held in list(self._held.values()):
                self._tend(held)

    def _tend(self, held: Held) -> None:
        """Renew one claim; past the longest time end the process, as C code hears nothing else."""
        if time.monotonic() - held.since > self._longest:
            log.critical("stuck on %s: this worker ends itself", held.at_hand)
            os._exit(STUCK)
        try:
            with connection():
                submission.renew(held.ids, held.lease, self._seconds)
        except peewee.PeeweeException as error:
            log.warning("lease of %s not renewed: %s", held.at_hand, error)
