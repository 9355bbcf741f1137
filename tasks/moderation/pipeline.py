"""One upload in a worker, from its claim to its committed verdict. Read it from top to bottom.

``moderate`` is the whole way: claim, load, text rules, known hashes, duplicates, classifier,
detectors, judge, thumbnails, commit, announce. The functions below it follow in that
order. Every upload takes this way: one that a job names and several while many wait
(``moderate_submissions``), one that a worker claims in PostgreSQL while Redis is away
(``direct_mode.py``), and one that only the fast rules have decided, whose full checks are owed.

What makes it fast has files of its own: ``prefetch.py`` claims the next batch early,
``look_ahead.py`` decodes the next pictures early, ``group_commit.py`` commits verdicts together.
``leases.py`` claims submissions and keeps the claims.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from models.database.connection import connection
from models.moderation.record_verdicts import Outcome, record_verdicts
from models.settings import get_settings, per_process
from models.submissions.lease import give_back, hand_back, pause
from models.submissions.submission import Submission
from models.verdict import (
    APPROVED,
    REJECTED,
    REVIEW,
    Judgement,
    action_for,
    judge,
    sample_of,
)
from tasks.moderation import checks, look_alikes
from tasks.moderation.ask_detectors import detector_findings
from tasks.moderation.checks import Check
from tasks.moderation.group_commit import GroupCommit
from tasks.moderation.job import Job, draw_thumbnail
from tasks.moderation.leases import NOTHING, Claimed, LeaseRenewal, claim_alone, claim_together
from tasks.moderation.look_ahead import LookAhead
from tasks.moderation.prefetch import Prefetch, Urgent
from tasks.observability import logs, metrics, tracing
from tasks.queue.lanes import announce_decided, enqueue_missing, get_huey
from tasks.storage import StorageDown

BATCHES = 4  # claimed in a row, about 1 s of work; then the consumer can stop if it has to
LONGEST_WAIT = 2.0  # seconds that a claimed submission waits behind others before it is given back
PAUSE_AFTER_DOWN = 30.0  # seconds before owed checks are tried again if the classifier was down
log = logging.getLogger("sluice.moderate")
lease_renewal = per_process(LeaseRenewal)


class Batch(NamedTuple):
    """Claimed submissions as loaded jobs; ``claimed_at`` in monotonic seconds."""

    lease: str
    jobs: Sequence[Job]
    look_ahead: LookAhead
    claimed_at: float


TakeNext = Callable[[], Sequence[UUID]]  # takes the ids that come next off the queue, if many wait
NextUrgent = Callable[[Sequence[Job]], Claimed]  # claims what may not wait for these jobs
Done = Callable[[int], object]  # is called with the number of submissions that are done


def moderate(
    claimed: Claimed,
    prefetch: Prefetch[Batch] | None = None,
    done: Done | None = None,
    next_urgent: NextUrgent | None = None,
) -> list[Exception]:
    """Moderate claimed submissions, the batches that are prefetched during the work, and what
    is urgent.

    Returns the errors, one for each submission that failed; its claim was given back.

    Safe beside any number of workers, and if this worker dies at any point:
    1. a claim locks its row and gives it a lease that no other claim has;
    2. the lease is renewed during the work. If the worker dies, the lease expires and the sweep
       enqueues the submission again;
    3. before the commit only thumbnails are written. Their names are always the same, so a second
       attempt replaces them;
    4. the commit writes nothing for a submission whose lease has changed;
    5. the announcement is only a wake-up: a request that waits for it reads the row too.
    """
    with (
        GroupCommit(commit_and_announce) as commits,
        closing(jobs_of(claimed, prefetch, commits, done, next_urgent)) as jobs,
    ):
        for job in jobs:  # claimed; loaded; a few of their pictures decoded ahead
            with attempt(job, commits):
                check(job, checks.text_rules)
                check(job, checks.known_bytes)
                decode_ahead(job)
                check(job, checks.scored_bytes)  # duplicates by their bytes
                check(job, checks.readable)
                check(job, look_alikes.known_look_alikes)
                check(job, look_alikes.flagged_look_alikes)  # duplicates by their look
                check(job, checks.classifier)
                job.findings += detector_findings(job)
                judgement = judge_findings(job)
                draw_thumbnails(job, judgement)
                commits.add(outcome_of(job, judgement))  # commit and announce, with others
    return commits.errors


def moderate_submissions(
    submission_ids: Sequence[UUID],
    worker: str,
    take_next: TakeNext,
    done: Done,
    urgent: Urgent | None = None,
) -> None:
    """Moderate submissions that jobs name, and those that come next; raises the first error.

    Several are claimed together if nobody has tried them yet. The others are claimed alone, so that
    one that crashes its worker takes no other with it.
    """
    submission_ids = list(dict.fromkeys(submission_ids))  # a submission may have several jobs
    alone = submission_ids
    errors: list[Exception] = []
    if len(submission_ids) > 1:
        alone, errors = moderate_together(submission_ids, worker, take_next, done, urgent)
    for submission_id in alone:
        errors += moderate_alone(submission_id, worker)
        done(1)
    if errors:
        raise errors[0]


def moderate_alone(submission_id: UUID, worker: str) -> list[Exception]:
    """Moderate one submission as far as it still needs it; returns its error."""
    try:
        with connection():
            return moderate(claim_alone(submission_id, worker))
    except Exception as error:  # the claim failed, or the database is down
        return [error]


def moderate_together(
    submission_ids: Sequence[UUID],
    worker: str,
    take_next: TakeNext,
    done: Done,
    urgent: Urgent | None,
) -> tuple[list[UUID], list[Exception]]:
    """Moderate those that can be claimed together, and up to 3 batches that come next.

    Returns the ids that could not be claimed together, and the errors.
    """
    alone: list[UUID] = []

    def next_batch() -> Batch:
        next_ids = take_next()
        with connection():
            return load(claim_together(next_ids, worker, alone))

    def next_urgent(jobs: Sequence[Job]) -> Claimed:
        submission_id = urgent.next(jobs) if urgent else None
        return claim_alone(submission_id, worker) if submission_id else NOTHING

    try:
        with connection():
            claimed = claim_together(submission_ids, worker, alone)
        prefetch = Prefetch(next_batch, times=BATCHES - 1)
        return alone, moderate(claimed, prefetch, done, next_urgent)
    except Exception as error:  # a claim failed; the sweep enqueues its submissions again
        return alone, [error]


def jobs_of(
    claimed: Claimed,
    prefetch: Prefetch[Batch] | None,
    commits: GroupCommit,
    done: Done | None,
    next_urgent: NextUrgent | None,
) -> Generator[Job, None, None]:
    """Each claimed submission as a job, in its turn; its lease is renewed during the work.

    The next batch is prefetched from when two jobs are left.
    """
    batch: Batch | None = load(claimed)
    while batch is not None:
        more = False
        with connection(), lease_renewal().renewing(batch.jobs, batch.lease) as renewed:
            for at, job in enumerate(batch.jobs):
                if at and time.monotonic() - batch.claimed_at > LONGEST_WAIT:
                    give_back_jobs(batch.jobs[at:], batch.lease)
                    break
                if at and next_urgent:
                    yield from urgent_jobs(next_urgent(batch.jobs[at:]), done)
                batch.look_ahead.begin(at)
                if prefetch and at == max(0, len(batch.jobs) - 2):
                    more = prefetch.start()
                job.is_last = not more and at == len(batch.jobs) - 1
                renewed.work_on(job.submission.id)
                yield job
                job.let_go()
        if more:
            commits.send()
        if done:
            done(len(batch.jobs))
        batch = prefetch.result() if prefetch and more else None


def urgent_jobs(claimed: Claimed, done: Done | None) -> Iterator[Job]:
    """Claimed submissions between two jobs of a batch; their verdicts are committed at once."""
    if not claimed.submissions:
        return
    batch = load(claimed)
    with lease_renewal().renewing(batch.jobs, batch.lease) as renewed:
        for job in batch.jobs:
            job.is_last = job.is_urgent = True
            renewed.work_on(job.submission.id)
            yield job
            job.let_go()
    if done:
        done(len(batch.jobs))


def load(claimed: Claimed) -> Batch:
    """Load what the checks need, and begin with the first; an error gives the claims back."""
    lease, submissions = claimed
    try:
        with connection():
            for submission in submissions:
                metrics.waited(submission)
            jobs = Job.load(submissions, lease, get_settings())
            if len(jobs) > 1:  # a job that is alone is decoded while its scores are looked up
                checks.load_scores(jobs)
            batch = Batch(lease, jobs, LookAhead(jobs, check_early), time.monotonic())
            batch.look_ahead.begin(0)
            return batch
    except Exception as error:
        for submission in submissions:
            fail(submission.id, lease, error)
        raise


def check_early(job: Job) -> None:
    """Before a job's turn: the checks that need no picture, then its pictures are decoded."""
    check(job, checks.text_rules)
    check(job, checks.known_bytes)
    decode_ahead(job)


def give_back_jobs(jobs: Sequence[Job], lease: str) -> None:
    """Let other workers have what would wait too long behind this worker's job."""
    returned = {row.id for row in give_back([job.submission.id for job in jobs], lease)}
    log.info("%d submissions given back: the ones before them take long", len(returned))
    again = [job.queued for job in jobs if job.submission.id in returned]
    for queued in again:  # they were charged when they were taken
        get_huey().storage.charge(queued.rank, queued.flow, 0.0)
    enqueue_missing(again)


@contextmanager
def attempt(job: Job, commits: GroupCommit) -> Iterator[None]:
    """Log, trace and charge one job to its client; an error fails this job alone.

    The verdict of the last job is committed at once, inside its trace.
    """
    submission = job.submission
    submission_id = str(submission.id)
    paid_by = job.queued
    # Until the next job begins, because Huey logs an error after the job has ended.
    logs.begin(job_id=submission_id, request_id=submission.request_id, client=submission.client_id)
    with tracing.span("moderate", submission.traceparent, kind="CONSUMER", job_id=submission_id):
        logs.add(trace_id=tracing.trace_id())
        job.begun_at = time.perf_counter()
        try:
            with metrics.processing():
                yield
        except Exception as error:
            commits.errors += fail(submission.id, job.lease, error)
        turn = time.perf_counter() - job.begun_at
        get_huey().storage.charge(paid_by.rank, paid_by.flow, job.seconds(turn))
        if job.is_last:
            commits.flush()


def check(job: Job, find: Check) -> None:
    """Make a check, unless it was made early or an earlier check has rejected."""
    if job.rejected or find in job.made:
        return
    findings = list(find(job))
    job.made.add(find)
    job.findings += findings
    job.rejected = any(
        finding.action == "reject"
        if finding.check != "classifier" or finding.score is None
        else action_for(finding, job.policy) == "reject"
        for finding in findings
    )


def decode_ahead(job: Job) -> None:
    """Have a job's pictures decoded on a thread, beside the next lookups and the network.

    A picture is left out if its score is cached, or if another job has the same bytes: this job
    then takes that job's score.
    """
    if job.rejected or job.is_urgent:  # an urgent one does not wait behind others' pictures
        return
    for _, item in job.open_items:
        if item.digest not in job.expected_scores and not checks.is_cached(item.digest):
            job.expected_scores.add(item.digest)
            item.decode_ahead(tracing.traceparent() or job.submission.traceparent)


def judge_findings(job: Job) -> Judgement:
    """The verdict by the client's policy. If checks are owed, a strict client shows nothing yet."""
    judgement = judge(job.findings, job.policy, sample=sample_of(job.submission.id))
    if job.review_owed and judgement.verdict == APPROVED and job.policy.visibility == "hold":
        judgement = replace(judgement, verdict=REVIEW)
    tracing.note(verdict=judgement.verdict)
    return judgement


def draw_thumbnails(job: Job, judgement: Judgement) -> None:
    """Draw what a person may have to look at; the console has approved pictures drawn on demand."""
    if judgement.verdict != APPROVED:
        for item in job.items:
            draw_thumbnail(item)


def outcome_of(job: Job, judgement: Judgement) -> Outcome:
    """What is to be committed for a job."""
    return Outcome(
        job.submission,
        job.lease,
        judgement,
        job.policy,
        images={item.image.position: item.image.id for item in job.items},
        seen={item.image.id: item.seen for item in job.items if item.seen},
        review_owed=job.review_owed and judgement.verdict != REJECTED,
        has_verdict=job.submission.verdict is not None,
        begun_at=job.begun_at,
    )


def commit_and_announce(outcomes: Sequence[Outcome], trace: str | None = None) -> list[Exception]:
    """Commit outcomes and announce them; returns the errors.

    If they cannot be committed together, each is committed alone, so that one fails alone.
    """
    with connection(), tracing.span("commit", trace):
        try:
            decided = record_verdicts(outcomes)
        except Exception as error:
            if len(outcomes) == 1:
                return fail(outcomes[0].submission.id, outcomes[0].lease, error)
            log.warning("not committed together: %s", error)
            return [wrong for each in outcomes for wrong in commit_and_announce([each])]
        for outcome in outcomes:
            if outcome.review_owed:
                pause(outcome.submission.id, PAUSE_AFTER_DOWN)
    announce_decided([submission.id for submission in decided])
    checks.share_scores()  # after the announcement: no request that waits needs a score
    count_verdicts(decided, outcomes)
    return []


def count_verdicts(decided: Sequence[Submission], outcomes: Sequence[Outcome]) -> None:
    """Count and log committed verdicts."""
    begun_at = {outcome.submission.id: outcome.begun_at for outcome in outcomes}
    for submission in decided:
        metrics.verdict(submission.verdict, submission.mode, metrics.MACHINE)
        logs.add(
            job_id=str(submission.id),
            request_id=submission.request_id,
            client=submission.client_id,
        )
        milliseconds = 1000 * (time.perf_counter() - begun_at[submission.id])
        log.info("%s after %.0f ms of work", submission.verdict, milliseconds)


def fail(submission_id: UUID, lease: str, error: Exception) -> list[Exception]:
    """Give a claim back with its error; returns the error, unless the claim was lost before.

    The sweep enqueues the submission again, until it has failed ``MAX_ATTEMPTS`` times. An attempt
    that failed because the storage is down is not counted: the submission is not the cause.
    """
    counted = not isinstance(error, StorageDown)
    reason = f"{type(error).__name__}: {error}"
    if hand_back(submission_id, lease, reason, counted=counted):
        return [error]
    log.info("%s was claimed by another worker or erased: %s", submission_id, type(error).__name__)
    return []
