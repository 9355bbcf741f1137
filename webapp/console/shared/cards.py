"""The view of a submission: pictures, marked texts, findings and timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import url_for
from markupsafe import Markup, escape

from models.labels.label_index import NO_LABEL, labels
from models.moderation import case_file
from models.moderation.appeal import Appeal
from models.moderation.case_file import CaseFile
from models.people.moderator import Moderator
from models.review.followers import UNBLOCKED
from models.review.workload import is_graphic
from models.settings import Settings
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import Finding, Policy
from webapp.console.shared import formatting

MOST_SHOTS = 12  # in the film strip of one flag
ICONS = {
    "rules": "filter",
    "known_hashes": "fingerprint",
    "duplicates": "copy",
    "classifier": "scan-eye",
    "detector": "scan-eye",
    "pictures": "image-off",
    "sample": "shuffle",
    "failure": "triangle-alert",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline."""

    at: datetime
    text: Markup
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Shot:
    """One entry of the film strip: a picture, or a frame of an animated one."""

    image: Image
    number: int  # of the picture, from 1
    frame: int | None = None
    score: float | None = None
    drawn: bool = False  # this frame has a preview of its own

    @property
    def source(self) -> str:
        """The URL of the preview; empty if there is none."""
        if not self.image.thumbnail:
            return ""
        if self.drawn:
            return url_for("media.still", image_id=self.image.id, frame=self.frame)
        return url_for("media.thumbnail", image_id=self.image.id)

    @property
    def original(self) -> str:
        """The URL to zoom into: the original of a still picture, else the preview."""
        if not self.image.thumbnail or (self.image.frames or 1) > 1:
            return self.source
        return url_for("media.view", image_id=self.image.id)

    @property
    def is_worst(self) -> bool:
        """Whether the picture's score and heatmap belong to this frame."""
        return self.frame is None or self.frame == (self.image.worst_frame or 0)


@dataclass(frozen=True, slots=True)
class Card:
    """The values that a page shows of one submission."""

    submission: Submission
    images: list[Image]
    worst: int
    title: Markup
    description: Markup
    findings: list[Finding]
    policy: Policy
    suggested: str
    timeline: list[Event]
    author: dict[str, Any]
    held_by: Moderator | None
    shots: list[Shot]
    appeal: Appeal | None
    contested: Markup  # the decision that an appeal is against: who, what and why
    related: dict[str, int] = field(default_factory=dict)  # other open flags, by kind of group

    @property
    def name(self) -> str:
        """A one-line name, at most 60 characters."""
        row = self.submission
        text = " ".join((row.title or row.description).split())
        if text:
            return text if len(text) <= 60 else text[:59] + "…"
        return "Content deleted" if row.purged_at else "Upload without text"

    @property
    def excerpt(self) -> str:
        """The beginning of the description, at most 160 characters."""
        text = " ".join(self.submission.description.split()) if self.submission.title else ""
        return text if len(text) <= 160 else text[:159] + "…"

    def match(self, rule: int | None = None) -> Markup:
        """The text around the match of this rule, else of the first one; empty without a match."""
        matches = [found for found in self.findings if found.check == "rules"]
        matches.sort(key=lambda found: found.evidence.get("rule") != rule)
        for found in matches:
            text = getattr(self.submission, str(found.evidence.get("field", "")), "")
            around = formatting.excerpt(str(text), found)
            if around:
                return around
        return Markup("")

    @property
    def marks(self) -> int:
        """The number of marked matches in its texts."""
        return self.title.count("<mark ") + self.description.count("<mark ")

    @property
    def lacks_heat(self) -> bool:
        """Whether a picture can have a heatmap and does not have one yet."""
        return any(image.thumbnail and not image.heat for image in self.images)

    @property
    def worst_shot(self) -> Shot | None:
        """The shot with the highest score, which is shown first."""
        return max(self.shots, key=lambda shot: shot.score or 0.0) if self.shots else None

    @property
    def is_hard(self) -> bool:
        """Whether a picture of it is graphic."""
        return is_graphic(self.findings, labels.get().graphic)

    @property
    def is_open(self) -> bool:
        """Whether it waits for a decision of a person."""
        return self.submission.verdict == "review" and not self.submission.review_owed

    @property
    def thumbnail(self) -> Image | None:
        """The picture shown in lists: the one with the highest score."""
        return self.images[self.worst] if self.images else None


def cards(rows: Sequence[Submission], settings: Settings, *, authors: bool = True) -> list[Card]:
    """The cards of these submissions, in the same order."""
    return [card(found, settings) for found in case_file.read(rows, authors=authors)]


def card(found: CaseFile, settings: Settings) -> Card:
    """The card of one submission."""
    row = found.submission
    return Card(
        submission=row,
        images=found.images,
        worst=_worst(found.images),
        title=formatting.marked(row.title, "title", found.findings),
        description=formatting.marked(row.description, "description", found.findings),
        findings=_merged(found.findings),
        policy=row.client.policy(row.surface),
        suggested=_suggested(found.findings),
        timeline=_timeline(found),
        author=found.author,
        held_by=_holder(row),
        shots=_shots(found.images),
        appeal=found.appeal,
        contested=_contested(found),
    )


def _shots(images: list[Image]) -> list[Shot]:
    """The pictures, plus the worst frames of animated ones, as far as the film strip has room."""
    room = MOST_SHOTS - len(images)
    shots: list[Shot] = []
    for number, image in enumerate(images, 1):
        stills = image.stills[: room + 1]
        room -= max(0, len(stills) - 1)
        shots += [Shot(image, number, int(at), score, drawn=True) for at, score in stills]
        if not stills:
            frame = image.worst_frame if (image.frames or 1) > 1 else None
            shots.append(Shot(image, number, frame, image.score))
    return shots


def icon(finding: Finding) -> str:
    """The icon of the check that made a finding."""
    return ICONS.get(finding.check, "info")


def _worst(images: list[Image]) -> int:
    scores = [image.score or 0.0 for image in images]
    return scores.index(max(scores)) if scores else 0


def _merged(findings: list[Finding]) -> list[Finding]:
    """The findings without duplicates: same check, label and words."""
    seen: dict[Any, Finding] = {}
    for found in findings:
        text = str(found.evidence.get("text", "")).casefold()
        key = (found.check, found.label, found.image, text) if text else id(found)
        seen.setdefault(key, found)
    return list(seen.values())


def _suggested(findings: list[Finding]) -> str:
    """The reason that the findings suggest for a rejection."""
    index = labels.get()
    for found in findings:
        if found.action in ("reject", "review") and not index.problem(found.label):
            return NO_LABEL if found.label == "error" else found.label
    return NO_LABEL


def _holder(row: Submission) -> Moderator | None:
    until = row.review_until
    if until is None or row.review_by_id is None or formatting.is_past(until):
        return None
    holder: Moderator = row.review_by
    return holder


def _contested(found: CaseFile) -> Markup:
    """The rejection that the appeal is against; empty without an appeal."""
    undone = {decision.undoes_id for decision in found.decisions}
    if found.appeal is None:
        return Markup("")
    for made in reversed(found.decisions):
        stands = made.undoes_id is None and made.id not in undone
        if stands and made.to_verdict == "rejected" and made.created_at <= found.appeal.created_at:
            who = made.moderator.name if made.moderator_id else "The machine"
            why = f" · {formatting.label(made.reason)}" if made.reason else ""
            return Markup("{} rejected it{}, {}").format(
                who, why, formatting.moment(made.created_at)
            )
    return Markup("")


def _timeline(found: CaseFile) -> list[Event]:
    row = found.submission
    shown = row.client.policy(row.surface).visibility.replace("_", " ")
    mode = row.mode.replace("_", "-")
    events = [Event(row.created_at, Markup("received · {} · {}").format(mode, shown))]
    undone = {decision.undoes_id for decision in found.decisions}
    for decision in found.decisions:
        who = decision.moderator.name if decision.moderator_id else "machine"
        if decision.reason == "undo":
            text = Markup("{}: undone, back to <strong>{}</strong>")
            events.append(Event(decision.created_at, text.format(who, decision.to_verdict)))
            continue
        if decision.reason == UNBLOCKED:
            words = Markup("block undone, back to <strong>review</strong>, checked again")
            events.append(Event(decision.created_at, words))
            continue
        text = Markup("{}: <strong>{}</strong>").format(who, decision.to_verdict)
        if decision.reason and decision.to_verdict != "approved":
            text += escape(f" · {formatting.label(decision.reason).lower()}")
        tone = "undone" if decision.id in undone else decision.to_verdict
        events.append(Event(decision.created_at, text, tone))
    if row.escalated_at:
        who = row.escalated_by.name if row.escalated_by_id else "a deleted account"
        asked = Markup("{}: asked for a second opinion").format(who)
        events.append(Event(row.escalated_at, asked))
    return sorted(events, key=lambda event: event.at)
