"""The interface of every detector, and the check of what one answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from tasks.classifier.base import is_probability

TEXT, IMAGE = "text", "image"
OFF, SHADOW, ON = "off", "shadow", "on"
STATES = (OFF, SHADOW, ON)
MOST_SCORES = 100  # of one answer
MOST_EVIDENCE = 4096  # bytes of one score's evidence as JSON
Subject = str | Sequence[Any]  # a text, or the 256 x 256 RGB views of a picture


class Score(NamedTuple):
    """How much of a label a detector sees: ``score`` is 0 to 1, ``evidence`` is JSON."""

    label: str
    score: float
    evidence: Mapping[str, Any]


class Detector(Protocol):
    """A loaded detector."""

    def detect(self, subject: Subject) -> Iterable[Score]:
        """Score a text, or the views of a picture together. Raises `DetectorDown`."""
        ...


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a detector says of itself, before it is loaded.

    ``harmless`` are those of its ``labels`` that speak for an upload. ``cost`` is the typical time
    of one call in microseconds. ``deadline`` is the longest time of one call in seconds.
    ``version`` changes when its scores change. ``named`` maps those of its labels to the server's
    that have another name there.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    inputs: tuple[str, ...]
    cost: float
    version: str
    deadline: float
    harmless: tuple[str, ...] = field(default=())
    named: Mapping[str, str] = field(default_factory=dict)

    def label_of(self, own: str) -> str:
        """The label of the server that one of its own labels means."""
        return self.named.get(own, own)

    def alarms(self, scores: Iterable[Score], least: float) -> list[Score]:
        """The scores of at least ``least`` that speak against an upload, highest first."""
        flagged = [s for s in scores if s.score >= least and s.label not in self.harmless]
        return sorted(flagged, key=lambda each: -each.score)


class DetectorError(Exception):
    """A call that yields no scores. ``reason`` is the label of the metric."""

    reason = "failed"


class DetectorDown(DetectorError):
    """The detector cannot answer: a package or its model file is missing or unusable."""

    reason = "down"


class DetectorLate(DetectorError):
    """The detector did not answer before its deadline, or has not ended an earlier call."""

    reason = "late"


class DetectorInvalid(DetectorError):
    """The answer is no list of declared labels with scores from 0 to 1."""

    reason = "invalid"


REASONS = tuple(
    kind.reason for kind in (DetectorError, DetectorDown, DetectorLate, DetectorInvalid)
)


def checked(declared: Declaration, answer: Any) -> list[Score]:
    """The answer as scores; raises `DetectorInvalid`, which says what is wrong with it."""
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
        raise DetectorInvalid(f"{declared.name} answered {_short(answer)}, not a list of scores.")
    scores: list[Score] = []
    for entry in answer:
        if len(scores) == MOST_SCORES:
            raise DetectorInvalid(f"{declared.name} answered more than {MOST_SCORES} scores.")
        scores.append(_checked_score(declared, entry))
    return scores


def _checked_score(declared: Declaration, entry: Any) -> Score:
    if not isinstance(entry, Sequence) or isinstance(entry, str) or len(entry) != 3:
        raise DetectorInvalid(
            f"{declared.name} answered {_short(entry)}; each entry must be label, score, evidence."
        )
    label, score, evidence = entry
    if not isinstance(label, str) or label not in declared.labels:
        raise DetectorInvalid(
            f"{declared.name} answered the label {_short(label)}, which it does not declare;"
            f" it declares {', '.join(declared.labels)}."
        )
    if not is_probability(score):
        raise DetectorInvalid(
            f"{declared.name} scored {label} at {_short(score)}; a score is from 0 to 1."
        )
    return Score(label, float(score), _checked_evidence(declared, label, evidence))


def _checked_evidence(declared: Declaration, label: str, evidence: Any) -> Mapping[str, Any]:
    try:
        text = json.dumps(evidence, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        text = ""
    if not isinstance(evidence, Mapping) or not text or len(text) > MOST_EVIDENCE:
        raise DetectorInvalid(
            f"{declared.name}'s evidence for {label} is no JSON object of at most"
            f" {MOST_EVIDENCE} bytes."
        )
    return evidence


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
