"""Turns findings into a verdict under a client's policy. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

APPROVED, REJECTED, REVIEW = "approved", "rejected", "review"
VERDICTS = (APPROVED, REJECTED, REVIEW)
SHADOW_CHECK = "shadow"  # of findings that decide nothing
DETECTOR_CHECK = "detector"  # of findings of a detector that is on
SCORED = (
    "classifier",
    "duplicates",
    DETECTOR_CHECK,
)  # checks whose scores the policy turns into actions
NETWORK_LABEL = "nudity"  # of the network's scores
ABOVE_ALL = 1.01
_PATH = re.compile(r"(?<![\w/])/(?:[\w.@+~-]+/)+[\w.@+~-]*")  # of a file, with two parts or more


class Thresholds(NamedTuple):
    """From which score of a label, 0 to 1, a person looks and the machine rejects; None: never."""

    review_at: float | None = None
    reject_at: float | None = None

    def action(self, score: float) -> str:
        """The action for a score: reject, review or note."""
        if self.reject_at is not None and score >= self.reject_at:
            return "reject"
        return "review" if self.review_at is not None and score >= self.review_at else "note"


NEVER = Thresholds()


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of a client's surface: what its scores mean, what is visible before a verdict.

    A label without ``thresholds`` never decides by its score. ``languages`` are those whose rules
    apply; None is the server's default. ``version`` is the newest policy version that it is made
    of; with the client and the surface it names the policy exactly.
    """

    thresholds: Mapping[str, Thresholds] = field(
        default_factory=lambda: {NETWORK_LABEL: Thresholds(0.2, 0.8)}
    )
    sample_rate: float = 0.0
    visibility: str = "hold"
    publish_unchecked: bool = False
    languages: tuple[str, ...] | None = None
    version: int | None = None

    def of(self, label: str) -> Thresholds:
        """The thresholds of a label."""
        return self.thresholds.get(label, NEVER)

    @property
    def review_at(self) -> float:
        """The network's threshold of review; above every score if it is never reviewed."""
        return _or_never(self.of(NETWORK_LABEL).review_at)

    @property
    def reject_at(self) -> float:
        """The network's threshold of rejection; above every score if it never rejects."""
        return _or_never(self.of(NETWORK_LABEL).reject_at)

    def shows(self, verdict: str | None) -> bool:
        """Whether a submission with this verdict (None: not yet) is visible."""
        if self.visibility == "publish_first":
            return verdict != REJECTED
        return verdict == APPROVED

    def shows_unchecked(self, verdict: str | None, *, has_pictures: bool) -> bool:
        """Whether a submission is visible that only the fast rules have decided.

        They do not look at pictures. So a client that holds shows texts alone, unless it chooses
        to publish unchecked pictures too.
        """
        publishes = self.visibility == "publish_first" or self.publish_unchecked
        return self.shows(verdict) and (publishes or not has_pictures)


@dataclass(slots=True)
class Finding:
    """A check's named result.

    ``action`` is reject, review, allow or note; ``judge`` sets it for the classifier, from the
    policy. ``image`` is the position of the picture concerned, from 0.
    """

    check: str
    label: str
    action: str = "note"
    score: float | None = None
    image: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, its findings (worst first), and the network's highest score.

    ``scores`` are the highest scores by label, ``version`` is the policy version that decided.
    """

    verdict: str
    findings: tuple[Finding, ...]
    score: float | None
    scores: Mapping[str, float] = field(default_factory=dict)
    version: int | None = None

    @property
    def rounded_scores(self) -> dict[str, float]:
        """The scores by label as they are stored and returned."""
        return {label: round(score, 4) for label, score in self.scores.items()}

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """The reasons in the API response: the findings that asked for this verdict."""
        actions = {REJECTED: ("reject",), REVIEW: ("review",)}.get(self.verdict, ())
        return [reason(finding) for finding in self.findings if finding.action in actions]


def judge(findings: Sequence[Finding], policy: Policy, *, sample: float = 1.0) -> Judgement:
    """Combine all findings: any reject wins, then any review.

    The policy gives an action to each finding that has a score of the network, also to one whose
    score is that of a look-alike.

    ``sample`` is a random number from 0 to 1; below the policy's sample rate an approval goes to
    review. A classifier score that is not finite is dropped, and the upload goes to review.
    """
    for finding in findings:
        if finding.check in SCORED and finding.score is not None:
            valid = isfinite(finding.score)
            finding.action = action_for(finding, policy) if valid else "review"
            finding.score = finding.score if valid else None
    actions = {finding.action for finding in findings}
    if "reject" in actions:
        verdict = REJECTED
    elif "review" in actions:
        verdict = REVIEW
    elif sample < policy.sample_rate:
        verdict = REVIEW
        findings = [*findings, Finding("sample", "other", "review")]
    else:
        verdict = APPROVED
    own = [f.score for f in findings if f.check == "classifier" and f.score is not None]
    ordered = tuple(sorted(findings, key=_weight))
    scores = highest_scores(findings)
    return Judgement(verdict, ordered, max(own, default=None), scores, policy.version)


def highest_scores(findings: Sequence[Finding]) -> dict[str, float]:
    """The highest score of each label, of the checks that a policy judges by their scores."""
    scores: dict[str, float] = {}
    for found in findings:
        if found.check in SCORED and found.score is not None:
            scores[found.label] = max(found.score, scores.get(found.label, 0.0))
    return scores


def sample_of(submission_id: UUID) -> float:
    """A number from 0 to 1 for ``judge``: by chance, and the same whenever it is judged again.

    ``models/policies/replay.py`` computes it in SQL: 48 bits are exact in a double there too.
    """
    return int.from_bytes(sha256(submission_id.bytes).digest()[:6], "big") / 2**48


def action_of(score: float, policy: Policy, label: str = NETWORK_LABEL) -> str:
    """The action for a score of a label."""
    return policy.of(label).action(score)


def action_for(finding: Finding, policy: Policy) -> str:
    """The action for a finding that has a score.

    ``sure`` in its evidence is the score on which a rejection may rest, where the score itself is
    that of an extra view, or of a sheet of pictures: then a person looks.
    """
    score = finding.score or 0.0
    thresholds = policy.of(finding.label)
    action = thresholds.action(score)
    sure = float(finding.evidence.get("sure", score))
    return "review" if action == "reject" and thresholds.action(sure) != "reject" else action


def _or_never(threshold: float | None) -> float:
    return ABOVE_ALL if threshold is None else threshold


def _weight(finding: Finding) -> tuple[bool, int, float]:
    order = {"reject": 0, "review": 1, "allow": 2, "note": 3}
    return finding.check == SHADOW_CHECK, order[finding.action], -(finding.score or 0.0)


def reason(finding: Finding) -> dict[str, Any]:
    """One finding as the API returns it."""
    body: dict[str, Any] = {
        "check": finding.check,
        "label": finding.label,
        "explanation": explain(replace(finding, evidence=evidence_for_client(finding))),
    }
    if finding.score is not None:
        body["score"] = round(finding.score, 4)
    if finding.image is not None:
        body["image"] = finding.image
    return body


def evidence_for_client(finding: Finding) -> dict[str, Any]:
    """The evidence without what it says about the server: texts of exceptions, and paths.

    ``error`` is an exception's text, for operators; ``problem`` is a sentence for everybody.
    """
    evidence = {name: value for name, value in finding.evidence.items() if name != "error"}
    if "problem" in evidence:
        evidence["problem"] = _PATH.sub("…", str(evidence["problem"]))
    return evidence


# Direction controls, which would turn the sentence around a quoted text round.
_NO_DIRECTIONS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def explain(finding: Finding) -> str:
    """The finding as a sentence for a person, without the full stop."""
    evidence = finding.evidence
    picture = "" if finding.image is None else f"picture {finding.image + 1}"
    match finding.check:
        case "rules":
            text = str(evidence.get("text", "")).translate(_NO_DIRECTIONS)
            return f"A rule for {_words(finding.label)} matched “{text}”"
        case "known_hashes":
            return f"{_shown(finding)} {_explain_known(evidence)}"
        case "duplicates":
            return f"{_shown(finding)} {_explain_duplicate(evidence)}"
        case "classifier":
            return _explain_score(finding, picture)
        case "pictures":
            return f"{picture.capitalize()}: {evidence.get('problem', 'cannot be read')}"
        case "detector":
            return _explain_detector(finding)
        case "shadow":
            return _explain_shadow(finding)
        case "sample":
            return "Picked at random from uploads that would be approved"
        case "failure":
            why = evidence.get("error") or evidence.get("problem")
            return f"Automatic checks failed: {why}" if why else "Automatic checks failed"
    return _words(finding.label)


def _explain_score(finding: Finding, picture: str) -> str:
    if finding.score is None:
        return f"The classifier could not score {picture}"
    view = finding.evidence.get("view", "")
    return f"The classifier scored {_place(finding)}{view and f' ({view})'} at {finding.score:.2f}"


def _explain_detector(finding: Finding) -> str:
    name = finding.evidence.get("detector", "A detector").replace("_", " ")
    what, score = _place(finding) or "the text", finding.score or 0.0
    return f"{name.capitalize()} scored {what} {_words(finding.label)} at {score:.2f}"


def _explain_shadow(finding: Finding) -> str:
    evidence = finding.evidence
    score = evidence.get("scores", {}).get(finding.label, 0.0)
    detector, what = evidence.get("detector", "a detector"), _place(finding) or "the text"
    return f"In shadow, {detector} scored {what} {_words(finding.label)} at {score:.2f}"


def _explain_known(evidence: dict[str, Any]) -> str:
    if evidence.get("kind") == "pdq":
        return f"looks like a known image, distance {evidence['distance']} of 256"
    return "is a known image"


def _explain_duplicate(evidence: dict[str, Any]) -> str:
    distance = evidence.get("distance", 0)
    return f"looks like one flagged recently, distance {distance} of 256"


def _shown(finding: Finding) -> str:
    place = _place(finding)
    return place[:1].upper() + place[1:]


def _place(finding: Finding) -> str:
    """The picture that a finding is about, and the frame of an animation."""
    place = "" if finding.image is None else f"picture {finding.image + 1}"
    if finding.evidence.get("frames", 1) > 1:
        place += f", frame {finding.evidence['frame'] + 1} of {finding.evidence['frames']}"
    return place


def _words(label: str) -> str:
    return label.replace("_", " ")
