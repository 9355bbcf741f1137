"""The checks: each is a generator of findings. ``pipeline.moderate`` has their order.

Those by perceptual hash are in ``look_alikes.py``.

The cheapest is made first, and none after one that rejects.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import PIL.Image

from models.hash_bank.known_hash import check_exact
from models.rules.text_check import check_text
from models.settings import per_process
from models.submissions.image import MIN_PDQ_QUALITY, stills_of
from models.verdict import Finding
from tasks.classifier import engine
from tasks.classifier.base import ClassifierDown
from tasks.extra_views.look_closer import CloserLook, look_closer
from tasks.images.decoder import GIVEN_UP
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, Job
from tasks.moderation.look_alikes import known_again, known_part, look_alike_cache
from tasks.moderation.score_cache import ScoreCache
from tasks.observability import metrics

Check = Callable[[Job], Iterator[Finding]]
FOR_A_PERSON = GIVEN_UP | {"damaged"}  # codes of pictures whose content is unknown
STILLS = 5  # frames of an animation whose scores are kept
SCORE_COLUMNS = (
    *("score", "worst_frame", "frames", "width", "height", "view"),
    *("pdq", "pdq_quality"),
)
VIEW_EVIDENCE = ("view", "sure", "box")  # of an extra view, as ``look_closer`` has them
log = logging.getLogger("sluice.checks")
score_cache = per_process(ScoreCache)
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
    """Matches of the text rules of the client's languages in title and description."""
    texts = job.submission.title, job.submission.description
    yield from check_text(*texts, job.policy.languages)


def known_bytes(job: Job) -> Iterator[Finding]:
    """Images whose SHA-256 is in the hash bank; an allowed one needs no further check."""
    for finding in check_exact([item.digest for item in job.items]):
        if finding.action == "allow":
            job.items[finding.image or 0].settled = True
        yield finding


def scored_bytes(job: Job) -> Iterator[Finding]:
    """Duplicates: images whose bytes have a cached score, which is used again.

    The hash bank may have changed since, so the picture is compared with it again. Nothing is
    decoded, except pictures with several views, and these only if the hash bank has any look.
    """
    if job.scores is None:  # the job is alone; its pictures are decoded at the same time
        load_scores([job])
    for position, item in job.open_items:
        cached = (job.scores or {}).get(item.digest) or score_cache().local(item.digest)
        if cached is None:
            continue
        *values, scored_image_id = cached
        columns = dict(zip(SCORE_COLUMNS, values, strict=True))
        if (columns["pdq_quality"] or 0) >= MIN_PDQ_QUALITY:
            yield from known_again(job, position, item, columns)
            if item.settled:
                continue
        item.settled = True
        item.seen |= columns
        score, frame, frames = columns["score"], columns["worst_frame"], columns["frames"]
        more = {name: columns["view"][name] for name in VIEW_EVIDENCE if name in columns["view"]}
        if (frames or 1) > 1:
            item.worst = stills_of(scored_image_id)
            more["frames_worst"] = item.worst
        yield _scored(position, score, frame or 0, frames or 1, reused="bytes", **more)


def readable(job: Job) -> Iterator[Finding]:
    """Images that cannot be decoded, or that have parts which cannot be checked.

    An image of which nothing can be decoded is rejected. One that the decoder gave up on, or of
    which a browser may show a part, goes to review.
    """
    for position, item in job.open_items:
        try:
            doubts = item.picture.doubts
        except PictureError as error:
            item.settled = True
            yield Finding(
                "pictures",
                "unreadable",
                "review" if error.code in FOR_A_PERSON else "reject",
                image=position,
                evidence={"code": error.code, "problem": str(error)},
            )
            continue
        for doubt in doubts:
            evidence = {"problem": doubt}
            yield Finding("pictures", "other", "review", image=position, evidence=evidence)


def classifier(job: Job) -> Iterator[Finding]:
    """The network's score of every image that is still open; of an animation, the highest.

    Pictures that are made of several, or that are in doubt, get extra views (``look_closer``).
    """
    for position, item in job.open_items:
        views = item.picture.views
        scores = _scores(item.inputs)
        if scores is None:
            job.review_owed = True
            evidence = {"error": classifier_down}
            yield Finding("classifier", "error", image=position, evidence=evidence)
            continue
        closer = _look_closer(item, scores)
        item.seen["score"] = closer.score
        item.name_view(closer.view)
        if closer.detail:
            item.name_part(closer.detail, closer.image)
        more = dict(closer.detail)
        if item.picture.frames > 1:
            scores[closer.view] = closer.score
            item.worst = _worst_frames(views.frames, scores)
            more["frames_worst"] = item.worst
        if closer.image:
            yield from known_part(job, position, item)
        _cache(job, item)
        frame = views.frames[closer.view]
        yield _scored(position, closer.score, frame, item.picture.frames, **more)


def _look_closer(item: Item, scores: list[float]) -> CloserLook:
    """The result with the extra views that the picture needs; without them if they fail."""
    try:
        return look_closer(item.picture, scores, item.crop, _score_extra)
    except (PictureError, ClassifierDown) as error:
        log.warning("no extra views of %s: %s", item.image.id, error)
        worst = max(range(len(scores)), key=scores.__getitem__)
        return CloserLook(scores[worst], worst)


def _score_extra(views: Sequence[Any]) -> list[float]:
    with metrics.inference(len(views)):
        return engine().score(views)


def _cache(job: Job, item: Item) -> None:
    """Cache a new score, for the same bytes and for look-alikes of the view that was scored worst.

    What only an extra view shows is left to the network each time. The score of a doubtful picture
    is not cached, so that the next one is doubted too. Animations are left to PostgreSQL, which has
    their frames.
    """
    if "sure" not in item.seen["view"] and item.seen["pdq_quality"] >= MIN_PDQ_QUALITY:
        look_alike_cache().add(item.seen["pdq"], item.seen["score"], job.submission.client_id)
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
