"""Detectors that are asked about an upload after its checks: on, or in shadow.

One that is **on** adds a finding for each of its labels, whose score the policy judges as it does
the network's. It is not asked where a check has already rejected. One in **shadow** decides
nothing: its finding has the check ``shadow``, and the scores are in the evidence alone, so that no
threshold, counter or search sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from models.verdict import DETECTOR_CHECK, SHADOW_CHECK, Finding, action_for
from tasks.detectors.base import ON, Declaration, Score
from tasks.detectors.confirmation import confirm, is_asked
from tasks.detectors.guard import Guard
from tasks.detectors.registry import guards, state_of
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, Job

MOST_VIEWS = 8  # of one picture that a detector is asked about
Asked = Callable[[Job, Guard], Iterator[Finding]]


def detector_findings(job: Job) -> Iterator[Finding]:
    """What the detectors say about an upload, the cheapest first; those in shadow also about one
    that is rejected."""
    for name, guard in guards().items():
        is_on = state_of(name, job.settings) == ON
        if is_on and job.rejected:
            continue
        if "text" in guard.declared.inputs:
            yield from _of_text(job, guard, is_on=is_on)
        if "image" in guard.declared.inputs:
            asked = getattr(job.settings, f"detector_{name}_asked", "all")
            yield from _of_pictures(job, guard, is_on=is_on, flagged_only=asked == "flagged")


def _of_text(job: Job, guard: Guard, *, is_on: bool) -> Iterator[Finding]:
    text = "\n".join(filter(None, (job.submission.title, job.submission.description)))
    scores = guard.detect(text).scores if text else ()
    if is_on:
        yield from _findings(guard.declared, scores)
    elif scores:
        alarms = guard.declared.alarms(scores, job.policy.review_at)
        yield _in_shadow(guard.declared, scores, would="review" if alarms else "note")


def _of_pictures(job: Job, guard: Guard, *, is_on: bool, flagged_only: bool) -> Iterator[Finding]:
    """Pictures that the network has scored.

    In shadow not those whose score was known from the same bytes: they would be decoded for this.
    A detector that is on is asked about these too, or the second upload of a picture would pass.
    """
    for scored in list(job.findings):
        if scored.check != "classifier" or scored.score is None:
            continue
        if not is_on and "reused" in scored.evidence:
            continue
        action = action_for(scored, job.policy)
        if flagged_only and not is_asked(action):
            continue
        item = next(each for each in job.items if each.image.position == scored.image)
        try:
            numbers = _views(item)
            scores = guard.detect([item.picture.views[at] for at in numbers]).scores
        except PictureError:
            continue
        if is_on:
            yield from _findings(guard.declared, scores, scored.image)
        elif scores:
            by_label = {each.label: each.score for each in scores}
            both = confirm(action, by_label, job.policy)
            yield _in_shadow(
                guard.declared, scores, image=scored.image,
                would=both.action, agreement=both.agreement, views=numbers,
            )  # fmt: skip


def _views(item: Item) -> list[int]:
    """The numbers of the views to ask about: all of a few, of an animation its worst frames."""
    frames = item.picture.views.frames
    worst = {int(frame) for frame, _ in item.worst}
    return [at for at, frame in enumerate(frames) if not worst or frame in worst][:MOST_VIEWS]


def _findings(
    declared: Declaration, scores: Sequence[Score], image: int | None = None
) -> Iterator[Finding]:
    """A finding for each label that speaks against an upload, with its highest score."""
    highest: dict[str, Score] = {}
    for each in declared.alarms(scores, 0.0):  # highest first
        highest.setdefault(declared.label_of(each.label), each)
    for label, score in highest.items():
        evidence = {**_about(declared), **_words(score)}
        yield Finding(DETECTOR_CHECK, label, score=score.score, image=image, evidence=evidence)


def _in_shadow(
    declared: Declaration, scores: Sequence[Score], image: int | None = None, **more: Any
) -> Finding:
    top = max(scores, key=lambda each: each.score)
    evidence = {
        **_about(declared),
        "scores": {each.label: round(each.score, 4) for each in scores},
        **_words(top),
        **more,
    }
    return Finding(SHADOW_CHECK, top.label, "note", image=image, evidence=evidence)


def _about(declared: Declaration) -> dict[str, Any]:
    return {"detector": declared.name, "version": declared.version}


def _words(score: Score) -> dict[str, Any]:
    return {name: value for name, value in score.evidence.items() if name == "words"}
