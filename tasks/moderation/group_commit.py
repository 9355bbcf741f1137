"""Judgements on their way into the database: one alone at once, several together.

Each commit waits for the disk. While a worker has more to do, what it judged within a moment is
committed together by a thread of its own, and the network does not wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from uuid import UUID

from models.database.connection import connection
from models.moderation import record_verdicts
from models.moderation.record_verdicts import Outcome
from models.settings import per_process
from models.submissions import submission
from tasks.moderation import checks
from tasks.observability import logs, metrics, tracing
from tasks.queue import decided_events
from tasks.storage import StorageDown

TOGETHER = 0.05  # seconds that a judgement waits for others
PAUSE_AFTER_DOWN = 30.0  # seconds before debt is tried again when the classifier was down
log = logging.getLogger("sluice.commit")
_thread = per_process(lambda _: ThreadPoolExecutor(1, thread_name_prefix="commit"))


class Commits:
    """The commits of one claim's outcomes; ``errors`` are told once the block is over."""

    def __init__(self, lease: str) -> None:
        self._lease = lease
        self._waiting: list[Outcome] = []
        self._since = time.monotonic()
        self._going: list[Future[list[Exception]]] = []
        self.errors: list[Exception] = []

    def __enter__(self) -> Commits:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        for going in self._going:
            self.errors += going.result()

    def add(self, outcome: Outcome) -> None:
        """Have an outcome committed: soon, or at the end of the block."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(outcome)
        if time.monotonic() - self._since > TOGETHER:
            self.send()

    def send(self) -> None:
        """Have what waits committed beside other work."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            trace = waiting[0].claimed.traceparent
            self._going.append(_thread().submit(commit, waiting, self._lease, trace))

    def flush(self) -> None:
        """Commit what waits, here and now."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.errors += commit(waiting, self._lease)


def commit(outcomes: Sequence[Outcome], lease: str, trace: str | None = None) -> list[Exception]:
    """Store outcomes and tell of them; returns what went wrong.

    Where they cannot be stored together, each is tried by itself: one bad one spoils no other.
    """
    with connection(), tracing.span("commit", trace):
        try:
            finished = record_verdicts.finish(outcomes, lease)
        except Exception as error:
            if len(outcomes) > 1:
                log.warning("not stored together: %s", error)
                return [wrong for outcome in outcomes for wrong in commit([outcome], lease)]
            return hand_back(outcomes[0].claimed.id, lease, error)
        for outcome in outcomes:
            if outcome.owed:
                submission.pause(outcome.claimed.id, PAUSE_AFTER_DOWN)
    decided_events.announce([row.id for row in finished])
    checks.scores_before().share()  # whoever waits for the verdict need not wait for this
    begun = {outcome.claimed.id: outcome.begun for outcome in outcomes}
    for row in finished:
        metrics.verdict(row.verdict, row.mode, metrics.MACHINE)
        logs.add(job_id=str(row.id), request_id=row.request_id, client=row.client_id)
        took = 1000 * (time.perf_counter() - begun[row.id])
        log.info("%s after %.0f ms of work", row.verdict, took)
    return []


def hand_back(submission_id: UUID, lease: str, error: Exception) -> list[Exception]:
    """Give up a claim after an error; the error, unless the claim was lost before it."""
    counted = not isinstance(error, StorageDown)  # which is not this picture's fault
    told = f"{type(error).__name__}: {error}"
    if submission.hand_back(submission_id, lease, told, counted=counted):
        return [error]
    log.info("%s was taken away at work: %s", submission_id, type(error).__name__)
    return []
