"""Detectors in shadow: asked about an upload after its checks, they decide nothing.

What they say is stored as findings of the check ``shadow``, whose scores are in the evidence alone:
no threshold, counter or search of the present policy sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from models.verdict import SHADOW_CHECK, Finding, action_for
from tasks.detectors.base import Declaration, Score
from tasks.detectors.confirmation import confirm, is_asked
from tasks.detectors.guard import Guard
from tasks.detectors.registry import guards
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, Job

MOST_VIEWS = 8  # of one picture that a detector is asked about


def shadow_findings(job: Job) -> Iterator[Finding]:
    """What the detectors in shadow say about an upload, also about one that is rejected."""
    for name, guard in guards().items():
        if "text" in guard.declared.inputs:
            yield from _of_text(job, guard)
        if "image" in guard.declared.inputs:
            asked = getattr(job.settings, f"detector_{name}_asked", "all")
            yield from _of_pictures(job, guard, flagged_only=asked == "flagged")


def _of_text(job: Job, guard: Guard) -> Iterator[Finding]:
    text = "\n".join(filter(None, (job.submission.title, job.submission.description)))
    scores = guard.detect(text).scores if text else ()
    if scores:
        alarms = guard.declared.alarms(scores, job.policy.review_at)
        yield _finding(guard.declared, scores, would="review" if alarms else "note")


def _of_pictures(job: Job, guard: Guard, *, flagged_only: bool) -> Iterator[Finding]:
    """Pictures that the network has scored now; a duplicate would have to be decoded for this."""
    for scored in list(job.findings):
        if scored.check != "classifier" or scored.score is None or "reused" in scored.evidence:
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
        if scores:
            by_label = {each.label: each.score for each in scores}
            both = confirm(action, by_label, job.policy)
            yield _finding(
                guard.declared, scores, image=scored.image,
                would=both.action, agreement=both.agreement, views=numbers,
            )  # fmt: skip


def _views(item: Item) -> list[int]:
    """The numbers of the views to ask about: all of a few, of an animation its worst frames."""
    frames = item.picture.views.frames
    worst = {int(frame) for frame, _ in item.worst}
    return [at for at, frame in enumerate(frames) if not worst or frame in worst][:MOST_VIEWS]


def _finding(
    declared: Declaration, scores: Sequence[Score], image: int | None = None, **more: Any
) -> Finding:
    top = max(scores, key=lambda each: each.score)
    evidence = {
        "detector": declared.name,
        "version": declared.version,
        "scores": {each.label: round(each.score, 4) for each in scores},
        **{name: value for name, value in top.evidence.items() if name == "words"},
        **more,
    }
    return Finding(SHADOW_CHECK, top.label, "note", image=image, evidence=evidence)
