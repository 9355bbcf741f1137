"""The story of one submission: claim it, check it, judge it, decide it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

from models import finish, submission
from models.db import connection, db
from models.submission import Submission
from models.verdict import APPROVED, REVIEW, Finding, Judgement, judge
from tasks import checks, events, logs, metrics, tracing
from tasks.hold import Holder
from tasks.job import Item, Job
from tasks.opening import PictureError
from tasks.queue import settings
from tasks.storage import StorageDown, still, thumbnail

PAUSE_AFTER_DOWN = 30.0  # seconds before debt is tried again when the classifier was down
log = logging.getLogger("sluice.moderate")
holder = Holder(settings)


def moderate(job_id: str, worker: str) -> bool:
    """Do the work on a submission if it is still to be done; whether it was.

    A failure gives the claim back with its error and is raised again; the sweep lets another
    worker try, up to ``MAX_ATTEMPTS`` times.
    """
    lease = f"{worker}:{uuid4().hex[:12]}"
    with connection():
        claimed = submission.claim(
            UUID(job_id), lease, seconds=settings.lease_seconds, attempts=settings.max_attempts
        )
        return claimed is not None and work(claimed, lease)


def work(claimed: Submission, lease: str) -> bool:
    """Check, judge and decide a claimed submission; whether the claim held to the end."""
    metrics.waited(claimed)
    # Until the next job: what huey says of one that failed is about it, too.
    logs.begin(job_id=str(claimed.id), request_id=claimed.request_id, client=claimed.client_id)
    at_work = tracing.span("moderate", claimed.traceparent, kind="CONSUMER", job_id=str(claimed.id))
    with at_work:
        logs.add(trace_id=tracing.trace_id())
        return _work(claimed, lease)


def _work(claimed: Submission, lease: str) -> bool:
    started = time.perf_counter()
    with holder.holding(claimed.id, lease):
        try:
            with metrics.processing():
                job = Job.of(claimed, settings)
                finished = _conclude(job, lease, checks.run(job))
        except Exception as error:
            counted = not isinstance(error, StorageDown)  # which is not this picture's fault
            told = f"{type(error).__name__}: {error}"
            if submission.hand_back(claimed.id, lease, told, counted=counted):
                raise
            log.info("%s was taken away at work: %s", claimed.id, type(error).__name__)
            return False
    if finished is not None:
        events.announce(claimed.id)
        metrics.verdict(finished.verdict, finished.mode, metrics.MACHINE)
        took = 1000 * (time.perf_counter() - started)
        log.info("%s after %.0f ms of work", finished.verdict, took)
        tracing.note(verdict=finished.verdict)
    return finished is not None


def _conclude(job: Job, lease: str, findings: Sequence[Finding]) -> Submission | None:
    chance = random.random()  # nosec B311
    judgement = _with_debt(job, judge(findings, job.policy, sample=chance))
    _keep_thumbnails(job, judgement.verdict)
    with tracing.span("commit"), db.atomic():
        finished = finish.finish(
            job.submission,
            lease,
            judgement,
            job.policy,
            images={item.row.position: item.row.id for item in job.items},
            owed=job.owed and judgement.verdict != "rejected",
        )
        if finished is not None:
            _store_seen(job)
    if job.owed and finished is not None:
        submission.pause(job.submission.id, PAUSE_AFTER_DOWN)
    return finished


def _with_debt(job: Job, judgement: Judgement) -> Judgement:
    """Without its checks nothing is shown by a strict client: a person or the network must look."""
    if job.owed and judgement.verdict == APPROVED and job.policy.visibility == "hold":
        return Judgement(REVIEW, judgement.findings, judgement.score)
    return judgement


def _store_seen(job: Job) -> None:
    for item in job.items:
        if item.seen:
            item.row.note(scored="score" in item.seen, **item.seen)


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
