"""A worker's rounds while many wait: it claims several at once, and the next before it is done.

What comes next is claimed, looked up and begun to be decoded beside the network's work on the last
ones of before, so that the network waits neither for the database nor for a first picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import UUID

from models.database.connection import connection
from models.settings import get_settings, per_process
from models.submissions import submission
from tasks.moderation import pipeline
from tasks.moderation.group_commit import Commits
from tasks.moderation.pipeline import Claimed

ROUNDS = 4  # in a row, some 1 s; then the consumer sees whether it is to stop
Take = Callable[[], Sequence[str]]  # takes the ids of the jobs that come next; none where few wait
_thread = per_process(lambda _: ThreadPoolExecutor(1, thread_name_prefix="next"))


@dataclass(frozen=True, slots=True)
class Round:
    """What was claimed together, and the ids that could not be: done, taken, or failed before."""

    claimed: Claimed
    left: Sequence[UUID]


def work(job_ids: Sequence[str], worker: str, take: Take, did: Callable[[int], object]) -> None:
    """Do the work on submissions, as far as it is still to be done, and on those that come next.

    ``did`` is told how many are done whenever some are. What has failed before is worked alone, so
    that it takes no other's work along. Raises the first error once the others are done.
    """
    left = [UUID(job_id) for job_id in job_ids]
    errors: list[Exception] = []
    if len(left) > 1:
        left, errors = _rounds(job_ids, worker, take, did)
    for known in left:
        try:
            pipeline.alone(known, worker)
        except Exception as error:
            errors.append(error)
        did(1)
    if errors:
        raise errors[0]


def _rounds(
    job_ids: Sequence[str], worker: str, take: Take, did: Callable[[int], object]
) -> tuple[list[UUID], list[Exception]]:
    """What could not be claimed, and what went wrong."""
    left: list[UUID] = []
    errors: list[Exception] = []
    every: list[Commits] = []
    going: list[Future[Round | None]] = [_thread().submit(_claim, lambda: job_ids, worker)]

    def begin_next() -> None:
        going.append(_thread().submit(_claim, take, worker))

    with ExitStack() as commits:  # those of a round are waited for when all are over
        for number in range(1, ROUNDS + 1):
            try:
                current = going.pop().result() if going else None
            except Exception as error:
                errors.append(error)
                break
            if current is None:
                break
            every.append(commits.enter_context(Commits(current.claimed.lease)))
            with connection():
                pipeline.work_off(
                    current.claimed, every[-1], begin_next if number < ROUNDS else None
                )
            left += current.left
            did(len(current.claimed.rows))
    return left, errors + [error for one in every for error in one.errors]


def _claim(take: Take, worker: str) -> Round | None:
    """Take and claim several and prepare them; where that fails the sweep finds them."""
    ids = [UUID(job_id) for job_id in take()]
    if not ids:
        return None
    lease = pipeline.new_lease(worker)
    with connection():
        rows = submission.claim_several(ids, lease, seconds=get_settings().lease_seconds)
        claimed = pipeline.prepare(rows, lease)
    taken = {row.id for row in rows}
    return Round(claimed, [known for known in ids if known not in taken])
