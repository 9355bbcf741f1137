"""The story of submissions: claim them, check them, judge them, decide them.

While many wait, a worker takes several at once (see `rounds`): the pictures of the next are decoded
beside the network's work on the one before, and what is judged is committed together, beside it as
well.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from models.database.connection import connection
from models.moderation.record_verdicts import Outcome
from models.settings import get_settings, per_process
from models.submissions import submission
from models.submissions.submission import Submission
from models.verdict import APPROVED, REJECTED, REVIEW, Judgement, judge
from tasks.images.limits import PictureError
from tasks.moderation import checks
from tasks.moderation.group_commit import Commits, hand_back
from tasks.moderation.job import Item, Job
from tasks.moderation.lease_renewal import Held, Holder
from tasks.observability import logs, metrics, tracing
from tasks.queue.lanes import enqueue_missing, rank_of
from tasks.storage import still, thumbnail

AHEAD = 2  # pictures that are decoded while one is at the network: some 1 MB each
LONGEST_WAIT = 2.0  # seconds after which what waits behind others is given back
log = logging.getLogger("sluice.moderate")
holder = per_process(Holder)


@dataclass
class Claimed:
    """Submissions that were claimed together, looked up and begun; ``since`` when (monotonic)."""

    rows: Sequence[Submission]
    lease: str
    jobs: Sequence[Job]
    ahead: _Ahead
    since: float


def new_lease(worker: str) -> str:
    """A lease that nobody had before."""
    return f"{worker}:{uuid4().hex[:12]}"


def alone(submission_id: UUID, worker: str) -> None:
    """Do the work on one submission, as far as it is still to be done.

    A failure gives the claim back with its error and is raised again; the sweep lets another
    worker try, up to ``MAX_ATTEMPTS`` times.
    """
    lease = new_lease(worker)
    with connection():
        claimed = submission.claim(
            submission_id,
            lease,
            seconds=get_settings().lease_seconds,
            attempts=get_settings().max_attempts,
        )
        if claimed is not None:
            work([claimed], lease)


def work(rows: Sequence[Submission], lease: str) -> None:
    """Check, judge and decide claimed submissions; raises the first error, the others done."""
    with Commits(lease) as commits:
        work_off(prepare(rows, lease), commits)
    if commits.errors:
        raise commits.errors[0]


def prepare(rows: Sequence[Submission], lease: str) -> Claimed:
    """Look claimed submissions up and begin the first; on an error the claims are given back."""
    for row in rows:
        metrics.waited(row)
    try:
        jobs = Job.of_all(rows, get_settings()) if rows else []
        if len(jobs) > 1:
            checks.look_up(jobs)
    except Exception as error:
        for row in rows:
            hand_back(row.id, lease, error)
        raise
    ahead = _Ahead(jobs)
    ahead.go(0)
    return Claimed(rows, lease, jobs, ahead, time.monotonic())


def work_off(
    claimed: Claimed, commits: Commits, begin_next: Callable[[], object] | None = None
) -> None:
    """Check and judge what is prepared; errors are those of ``commits``.

    ``begin_next`` is called when little is left, and then the last commit is not waited for.
    """
    jobs = claimed.jobs
    with holder().holding([row.id for row in claimed.rows], claimed.lease) as held:
        for at, job in enumerate(jobs):
            if at and time.monotonic() - claimed.since > LONGEST_WAIT:
                _give_back(claimed.rows[at:], claimed.lease)
                break
            claimed.ahead.go(at)
            if begin_next and at == max(0, len(jobs) - 2):
                begin_next()
            _work_on(job, held, commits, last=not begin_next and at == len(jobs) - 1)
            job.let_go()
    if begin_next:
        commits.send()


def _work_on(job: Job, held: Held, commits: Commits, *, last: bool) -> None:
    row = job.submission
    held.work_on(row.id)
    # Until the next job: what huey says of one that failed is about it, too.
    logs.begin(job_id=str(row.id), request_id=row.request_id, client=row.client_id)
    with tracing.span("moderate", row.traceparent, kind="CONSUMER", job_id=str(row.id)):
        logs.add(trace_id=tracing.trace_id())
        begun = time.perf_counter()
        try:
            with metrics.processing():
                outcome = _outcome(job, begun)
        except Exception as error:
            commits.errors += hand_back(row.id, held.lease, error)
        else:
            tracing.note(verdict=outcome.judgement.verdict)
            commits.add(outcome)
        if last:
            commits.flush()


class _Ahead:
    """Begins jobs before their turn, as many as it takes to have `AHEAD` pictures on their way.

    Repeats have nothing to decode: a new picture behind a number of them is begun all the same.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._begun = int(len(jobs) == 1)  # one that is alone is begun in its turn

    def go(self, at: int) -> None:
        """Begin the job whose turn it is, before those that come after it."""
        while self._begun < len(self._jobs):
            coming = sum(job.pictures_ahead for job in self._jobs[at + 1 : self._begun])
            if self._begun > at and coming >= AHEAD:
                return
            _begin(self._jobs[self._begun])
            self._begun += 1


def _begin(job: Job) -> None:
    try:
        checks.begin(job)
    except Exception as error:  # its own turn raises it again
        log.debug("%s: %s", job.submission.id, error)


def _give_back(rows: Sequence[Submission], lease: str) -> None:
    """Let other workers do what would wait too long behind this one's work."""
    free = submission.give_back([row.id for row in rows], lease)
    log.info("%d submissions given back: the ones before them take long", len(free))
    enqueue_missing(
        (row.id, rank_of(row.priority, row.mode, owed=row.verdict is not None)) for row in free
    )


def _outcome(job: Job, begun: float) -> Outcome:
    findings = checks.run(job)
    chance = random.random()  # nosec B311
    judgement = _with_debt(job, judge(findings, job.policy, sample=chance))
    _keep_thumbnails(job, judgement.verdict)
    return Outcome(
        job.submission,
        judgement,
        job.policy,
        images={item.row.position: item.row.id for item in job.items},
        seen={item.row.id: item.seen for item in job.items if item.seen},
        owed=job.owed and judgement.verdict != REJECTED,
        again=job.submission.verdict is not None,
        begun=begun,
    )


def _with_debt(job: Job, judgement: Judgement) -> Judgement:
    """Without its checks nothing is shown by a strict client: a person or the network must look."""
    if job.owed and judgement.verdict == APPROVED and job.policy.visibility == "hold":
        return Judgement(REVIEW, judgement.findings, judgement.score)
    return judgement


def _keep_thumbnails(job: Job, verdict: str) -> None:
    """Draw what a person may have to look at; approved pictures are drawn when somebody asks."""
    if verdict == APPROVED:
        return
    for item in job.items:
        draw(item)


def draw(item: Item) -> None:
    """Make an image's thumbnail, unless it stands or the picture cannot be read."""
    if item.row.thumbnail:
        return
    try:
        picture = item.picture
    except PictureError:
        return
    # The worst frames of an animation are drawn as well, as far as they can be read.
    worst = [int(index) for index, _ in item.worst] if picture.frames > 1 else []
    try:
        drawn = item.draw({0, *worst})
    except PictureError:
        return
    key = item.row.storage_key
    item.storage.write(thumbnail(key), drawn[0])
    item.seen["thumbnail"] = True
    for index in worst:
        if index in drawn:
            item.storage.write(still(key, index), drawn[index])
    if worst:
        item.seen["stills"] = [pair for pair in item.worst if pair[0] in drawn]
