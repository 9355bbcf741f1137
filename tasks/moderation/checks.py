"""The checks, in their order: cheapest first, and none after one that has settled the verdict."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import PIL.Image

from models.database.config_revision import Watched
from models.hash_bank.known_hash import ASKS, KnownHash, check_exact
from models.rules.rule import check_text
from models.settings import per_process
from models.submissions.image import stills_of
from models.verdict import Finding, action_of
from tasks.classifier.base import ClassifierDown
from tasks.classifier.configured import engine
from tasks.hash_bank.hashing import HashBank
from tasks.images.decoder import GIVEN_UP
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, Job
from tasks.moderation.look_alike_cache import Alikes
from tasks.moderation.score_cache import Scores
from tasks.observability import metrics, tracing

Check = Callable[[Job], Iterator[Finding]]
MIN_PDQ_QUALITY = 50  # below it the picture has too little structure to compare (PDQ's authors)
STILLS = 5  # frames of an animation whose scores are told
TWIN = ("score", "worst_frame", "frames", "width", "height", "pdq", "pdq_quality")
log = logging.getLogger("sluice.checks")
scores_before = per_process(Scores)
flagged = per_process(lambda settings: Alikes(settings.dedupe_shared_ttl))
down = ""  # why the network cannot be asked, in words; the heartbeat tells it


def look_up(jobs: Sequence[Job]) -> None:
    """Ask once, for all of the jobs, what is known of their pictures' bytes."""
    twins = scores_before().get_all({item.digest for job in jobs for item in job.items})
    coming = set(twins)
    for job in jobs:
        job.twins, job.coming = twins, coming


def begin(job: Job, trace: str | None = None) -> None:
    """Make the checks that need no picture, and have the pictures that are left decoded ahead.

    Those whose bytes are known, or are at work already, are not: that score will do. The decoding
    is a part of ``trace``, a traceparent, else of the submission's.
    """
    _make(job, WITHOUT_PICTURES)
    if not job.rejected:
        for _, item in job.open_items:
            if item.digest not in job.coming and not scores_before().kept(item.digest):
                job.coming.add(item.digest)
                item.prepare(trace or job.submission.traceparent)


def run(job: Job) -> list[Finding]:
    """Everything that the checks find, up to the first check that rejects."""
    if job.twins is None:  # nothing else waits, so it is decoded while it is looked up
        begin(job, tracing.traceparent())
        look_up([job])
    _make(job, CHECKS)
    return job.findings


def _make(job: Job, checks: Sequence[Check]) -> None:
    for check in checks:
        if check in job.made:
            continue
        if job.rejected:
            return
        found = list(check(job))
        job.made.add(check)
        job.findings += found
        job.rejected = any(_rejects(finding, job) for finding in found)


def _rejects(finding: Finding, job: Job) -> bool:
    if finding.check == "classifier" and finding.score is not None:
        return action_of(finding.score, job.policy) == "reject"
    return finding.action == "reject"


def rules(job: Job) -> Iterator[Finding]:
    """What the texts hold."""
    yield from check_text(job.submission.title, job.submission.description)


def known_exactly(job: Job) -> Iterator[Finding]:
    """Images whose very bytes are known; an allowed one is not looked at further."""
    for finding in check_exact([item.digest for item in job.items]):
        if finding.action == "allow":
            job.items[finding.image or 0].settled = True
        yield finding


def same_bytes(job: Job) -> Iterator[Finding]:
    """Images whose bytes the network has scored lately: that score holds.

    The hash banks may have changed since, so their look is compared again; nothing is decoded.
    """
    for position, item in job.open_items:
        twin = (job.twins or {}).get(item.digest) or scores_before().kept(item.digest)
        if twin is None:
            continue
        score, frame, frames, width, height, twin_pdq, quality, twin_id = twin
        if twin_pdq and (quality or 0) >= MIN_PDQ_QUALITY:
            yield from _near(job, position, item, bytes(twin_pdq))
            if item.settled:
                continue
        item.settled = True
        item.seen |= {"score": score, "worst_frame": frame, "frames": frames}
        item.seen |= {"width": width, "height": height, "pdq": twin_pdq, "pdq_quality": quality}
        more = {}
        if (frames or 1) > 1:
            item.worst = stills_of(twin_id)
            more["frames_worst"] = item.worst
        yield _scored(position, score, frame or 0, frames or 1, reused="bytes", **more)


def readable(job: Job) -> Iterator[Finding]:
    """Images that cannot be read, or that hold what cannot be looked at.

    What its decoder refused is rejected; what it gave up may be a picture, so a person looks.
    """
    for position, item in job.open_items:
        try:
            doubts = item.picture.doubts
        except PictureError as error:
            item.settled = True
            yield Finding(
                "pictures",
                "unreadable",
                "review" if error.code in GIVEN_UP else "reject",
                image=position,
                evidence={"code": error.code, "problem": str(error)},
            )
            continue
        for doubt in doubts:
            evidence = {"problem": doubt}
            yield Finding("pictures", "other", "review", image=position, evidence=evidence)


def known_nearly(job: Job) -> Iterator[Finding]:
    """Images that look like known ones (PDQ)."""
    for position, item in job.open_items:
        code = _pdq(item)
        if code:
            yield from _near(job, position, item, code)


def _near(job: Job, position: int, item: Item, code: bytes) -> Iterator[Finding]:
    """The known image that this look is near to; an allowed one settles the picture."""
    entries, bank = known_bank.get()
    near, limit = bank.nearest(code), job.settings.pdq_max_distance
    if near is None or near[1] > 2 * limit:
        return
    action, label = entries[near[0]]
    close = near[1] <= limit
    if close and action == "allow":
        item.settled = True
    asks = ASKS[action] if close else "note"
    evidence = {"known": near[0], "kind": "pdq", "distance": near[1], "limit": limit}
    yield Finding("known_hashes", label, asks, image=position, evidence=evidence)


def look_alikes(job: Job) -> Iterator[Finding]:
    """Images that look like one that was flagged within minutes: its score holds.

    An approval is never reused here: a look-alike of a harmless picture may be made harmful.
    """
    for position, item in job.open_items:
        code = _pdq(item)
        near = flagged().nearest(code, job.settings.pdq_max_distance) if code else None
        if near is None:
            continue
        score, distance = near
        if action_of(score, job.policy) not in ("reject", "review"):
            continue
        item.settled = True
        yield Finding(
            "duplicates",
            "nudity",
            action_of(score, job.policy),
            score=score,
            image=position,
            evidence={"distance": distance, "limit": job.settings.pdq_max_distance},
        )


def network(job: Job) -> Iterator[Finding]:
    """The network's score of every image that is still open, its worst frame's for animations."""
    for position, item in job.open_items:
        views = item.picture.views
        scores = _scores(item.inputs)
        if scores is None:
            job.owed = True
            yield Finding("classifier", "error", image=position, evidence={"error": down})
            continue
        worst = max(range(len(scores)), key=scores.__getitem__)
        score, frame = float(scores[worst]), views.frames[worst]
        item.seen |= {"score": score, "worst_frame": frame}
        more = {}
        if item.picture.frames > 1:
            item.worst = _worst_frames(views.frames, scores)
            more["frames_worst"] = item.worst
        _remember(item)
        yield _scored(position, score, frame, item.picture.frames, **more)


def _remember(item: Item) -> None:
    """Keep what the network said, for the same bytes and for what looks alike.

    Not of what is doubted: the next one is to be doubted too. Animations are left to PostgreSQL,
    which knows their frames.
    """
    code = _pdq(item)
    if code:
        flagged().add(code, item.seen["score"])
    if not item.picture.doubts and item.picture.frames == 1:
        twin = (*map(item.seen.get, TWIN), item.row.id)
        scores_before().put(item.digest, twin)


WITHOUT_PICTURES: tuple[Check, ...] = (rules, known_exactly)
CHECKS: tuple[Check, ...] = (
    *WITHOUT_PICTURES,
    same_bytes,
    readable,
    known_nearly,
    look_alikes,
    network,
)


def _scores(views: Sequence[Any]) -> list[float] | None:
    """The network's scores, None where it is down, which is noted and told."""
    global down
    try:
        with metrics.inference(len(views)):
            scores = engine().score(views)
    except ClassifierDown as error:
        log.error("classifier down: %s", error)
        down = str(error)
        return None
    down = ""
    return scores


def warm_up() -> str:
    """Ask the network once; returns why it cannot be asked, or nothing."""
    _scores([PIL.Image.new("RGB", (256, 256))])
    return down


def _worst_frames(frames: Sequence[int], scores: Sequence[float]) -> list[list[float]]:
    """[[frame, score], ...] of the frames that score highest, the worst first."""
    best: dict[int, float] = {}
    for frame, score in zip(frames, scores, strict=True):
        best[frame] = max(best.get(frame, 0.0), float(score))
    ranked = sorted(best, key=lambda index: (-best[index], index))
    return [[index, round(best[index], 4)] for index in ranked[:STILLS]]


def _scored(position: int, score: float, frame: int, frames: int, **more: Any) -> Finding:
    evidence = {"frame": frame, "frames": frames, **more}
    return Finding("classifier", "nudity", score=score, image=position, evidence=evidence)


def _pdq(item: Item) -> bytes | None:
    """The picture's PDQ hash, None where it has too little structure to compare."""
    if item.picture and item.seen["pdq_quality"] >= MIN_PDQ_QUALITY:
        code: bytes = item.seen["pdq"]
        return code
    return None


def _bank() -> tuple[dict[int, tuple[str, str]], HashBank]:
    rows = KnownHash.perceptual()
    entries = {row[0]: (row[2], row[3]) for row in rows}
    return entries, HashBank((row[0], row[1]) for row in rows)


known_bank = Watched("known_hashes", _bank)
