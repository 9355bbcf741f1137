"""The checks: each is a generator of findings. ``pipeline.moderate`` has their order.

The cheapest is made first, and none after one that rejects.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import PIL.Image

from models.database.config_revision import RevisionCache
from models.hash_bank.known_hash import ASKS, KnownHash, check_exact
from models.rules.rule import check_text
from models.settings import per_process
from models.submissions.image import MIN_PDQ_QUALITY, stills_of
from models.verdict import Finding, action_of
from tasks.classifier import engine
from tasks.classifier.base import ClassifierDown
from tasks.hash_bank.hashing import HashBank
from tasks.images.decoder import GIVEN_UP
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, Job
from tasks.moderation.look_alike_cache import LookAlikeCache
from tasks.moderation.score_cache import ScoreCache
from tasks.observability import metrics

Check = Callable[[Job], Iterator[Finding]]
STILLS = 5  # frames of an animation whose scores are kept
SCORE_COLUMNS = ("score", "worst_frame", "frames", "width", "height", "pdq", "pdq_quality")
log = logging.getLogger("sluice.checks")
score_cache = per_process(ScoreCache)
look_alike_cache = per_process(lambda settings: LookAlikeCache(settings.dedupe_shared_ttl))
classifier_down = ""  # why the classifier cannot be asked, for the heartbeat; empty if it can


def load_scores(jobs: Sequence[Job]) -> None:
    """Look up, once for all of the jobs, which of their pictures' bytes have a cached score."""
    scores = score_cache().get_all({item.digest for job in jobs for item in job.items})
    expected = set(scores)
    for job in jobs:
        job.scores, job.expected_scores = scores, expected


def is_cached(digest: bytes) -> bool:
    """Whether this process has a cached score for these bytes."""
    return score_cache().local(digest) is not None


def share_scores() -> None:
    """Give the new scores to the other workers."""
    score_cache().share()


def text_rules(job: Job) -> Iterator[Finding]:
    """Matches of the text rules in title and description."""
    yield from check_text(job.submission.title, job.submission.description)


def known_bytes(job: Job) -> Iterator[Finding]:
    """Images whose SHA-256 is in the hash bank; an allowed one needs no further check."""
    for finding in check_exact([item.digest for item in job.items]):
        if finding.action == "allow":
            job.items[finding.image or 0].settled = True
        yield finding


def scored_bytes(job: Job) -> Iterator[Finding]:
    """Duplicates: images whose bytes have a cached score, which is used again.

    The hash bank may have changed since, so the cached PDQ hash is compared again. Nothing is
    decoded.
    """
    if job.scores is None:  # the job is alone; its pictures are decoded at the same time
        load_scores([job])
    for position, item in job.open_items:
        cached = (job.scores or {}).get(item.digest) or score_cache().local(item.digest)
        if cached is None:
            continue
        *values, scored_image_id = cached
        columns = dict(zip(SCORE_COLUMNS, values, strict=True))
        if columns["pdq"] and (columns["pdq_quality"] or 0) >= MIN_PDQ_QUALITY:
            yield from _near_known(job, position, item, bytes(columns["pdq"]))
            if item.settled:
                continue
        item.settled = True
        item.seen |= columns
        score, frame, frames = columns["score"], columns["worst_frame"], columns["frames"]
        more = {}
        if (frames or 1) > 1:
            item.worst = stills_of(scored_image_id)
            more["frames_worst"] = item.worst
        yield _scored(position, score, frame or 0, frames or 1, reused="bytes", **more)


def readable(job: Job) -> Iterator[Finding]:
    """Images that cannot be decoded, or that have parts which cannot be checked.

    An image that the decoder refused is rejected. One that the decoder gave up on may be a picture,
    so it goes to review.
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


def known_look_alikes(job: Job) -> Iterator[Finding]:
    """Images whose PDQ hash is near one in the hash bank."""
    for position, item in job.open_items:
        pdq = _pdq(item)
        if pdq:
            yield from _near_known(job, position, item, pdq)


def _near_known(job: Job, position: int, item: Item, pdq: bytes) -> Iterator[Finding]:
    """The nearest known image. An allowed one within the limit settles the picture.

    From the limit up to twice the limit the finding is only a note.
    """
    entries, bank = known_bank.get()
    nearest, limit = bank.nearest(pdq), job.settings.pdq_max_distance
    if nearest is None or nearest[1] > 2 * limit:
        return
    number, distance = nearest
    action, label = entries[number]
    within = distance <= limit
    if within and action == "allow":
        item.settled = True
    asks = ASKS[action] if within else "note"
    evidence = {"known": number, "kind": "pdq", "distance": distance, "limit": limit}
    yield Finding("known_hashes", label, asks, image=position, evidence=evidence)


def flagged_look_alikes(job: Job) -> Iterator[Finding]:
    """Duplicates: images that look like one flagged within minutes, whose score is used again.

    An approval is never used again here: a harmful picture can be made to look like a harmless one.
    """
    for position, item in job.open_items:
        pdq = _pdq(item)
        nearest = look_alike_cache().nearest(pdq, job.settings.pdq_max_distance) if pdq else None
        if nearest is None:
            continue
        score, distance = nearest
        action = action_of(score, job.policy)
        if action not in ("reject", "review"):
            continue
        item.settled = True
        yield Finding(
            "duplicates",
            "nudity",
            action,
            score=score,
            image=position,
            evidence={"distance": distance, "limit": job.settings.pdq_max_distance},
        )


def classifier(job: Job) -> Iterator[Finding]:
    """The network's score of every image that is still open; of an animation, the highest."""
    for position, item in job.open_items:
        views = item.picture.views
        scores = _scores(item.inputs)
        if scores is None:
            job.review_owed = True
            evidence = {"error": classifier_down}
            yield Finding("classifier", "error", image=position, evidence=evidence)
            continue
        worst = max(range(len(scores)), key=scores.__getitem__)
        score, frame = float(scores[worst]), views.frames[worst]
        item.seen |= {"score": score, "worst_frame": frame}
        more = {}
        if item.picture.frames > 1:
            item.worst = _worst_frames(views.frames, scores)
            more["frames_worst"] = item.worst
        _cache(item)
        yield _scored(position, score, frame, item.picture.frames, **more)


def _cache(item: Item) -> None:
    """Cache a new score, for the same bytes and for look-alikes.

    The score of a doubtful picture is not cached, so that the next one is doubted too. Animations
    are left to PostgreSQL, which has their frames.
    """
    pdq = _pdq(item)
    if pdq:
        look_alike_cache().add(pdq, item.seen["score"])
    if not item.picture.doubts and item.picture.frames == 1:
        score_cache().put(item.digest, (*map(item.seen.get, SCORE_COLUMNS), item.image.id))


def _scores(inputs: Sequence[Any]) -> list[float] | None:
    """The network's scores; None if it is down, which is logged and kept for the heartbeat."""
    global classifier_down
    try:
        with metrics.inference(len(inputs)):
            scores = engine().score(inputs)
    except ClassifierDown as error:
        log.error("classifier down: %s", error)
        classifier_down = str(error)
        return None
    classifier_down = ""
    return scores


def warm_up() -> str:
    """Score one empty picture; returns why the network cannot be asked, or an empty text."""
    _scores([PIL.Image.new("RGB", (256, 256))])
    return classifier_down


def _worst_frames(frames: Sequence[int], scores: Sequence[float]) -> list[list[float]]:
    """[[frame, score], ...] of the frames with the highest scores, the highest first."""
    best: dict[int, float] = {}
    for frame, score in zip(frames, scores, strict=True):
        best[frame] = max(best.get(frame, 0.0), float(score))
    ranked = sorted(best, key=lambda index: (-best[index], index))
    return [[index, round(best[index], 4)] for index in ranked[:STILLS]]


def _scored(position: int, score: float, frame: int, frames: int, **more: Any) -> Finding:
    evidence = {"frame": frame, "frames": frames, **more}
    return Finding("classifier", "nudity", score=score, image=position, evidence=evidence)


def _pdq(item: Item) -> bytes | None:
    """The picture's PDQ hash; None if it has too little structure to compare."""
    if item.picture and item.seen["pdq_quality"] >= MIN_PDQ_QUALITY:
        pdq: bytes = item.seen["pdq"]
        return pdq
    return None


def _bank() -> tuple[dict[int, tuple[str, str]], HashBank]:
    rows = KnownHash.perceptual()
    entries = {row[0]: (row[2], row[3]) for row in rows}
    return entries, HashBank((row[0], row[1]) for row in rows)


known_bank = RevisionCache("known_hashes", _bank)
