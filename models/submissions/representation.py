"""What a client reads of a submission, in replies and in webhooks: reasons and times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from models.labels.label_index import NO_LABEL, author_text_of
from models.policies.policy import DEFAULT_SURFACE
from models.submissions.submission import Submission
from models.verdict import APPROVED

SAMPLE = "sample"  # the check of a reason that nothing was found
MODERATOR = "moderator"  # the check of a reason that a person gave
SAMPLE_TEXT = "It was picked at random, to be looked at by a person."  # nothing is wrong with it


def reasons_of(submission: Submission) -> list[dict[str, Any]]:
    """The reasons of the decision that stands, a person's or the machine's.

    While an appeal waits, they are those of the rejection. An approval has none.
    """
    if submission.moderator_label is None:
        return [with_author_text(reason) for reason in submission.reasons]
    if submission.verdict == APPROVED:
        return []
    return [with_author_text(_of_moderator(submission.moderator_label))]


def with_author_text(reason: Mapping[str, Any]) -> dict[str, Any]:
    """The reason with the sentence for the author that belongs to its label."""
    is_sample = reason["check"] == SAMPLE
    text = SAMPLE_TEXT if is_sample else author_text_of(reason["label"])
    return {**reason, "author_text": text}


def judged_of(submission: Submission) -> dict[str, Any]:
    """What was judged by which policy, in replies and webhooks about a decided submission.

    ``flagged`` are the labels of the reasons, without a random sample's.
    """
    reasons = [each for each in reasons_of(submission) if each["check"] != SAMPLE]
    return {
        "surface": submission.surface or DEFAULT_SURFACE,
        "policy_version": submission.policy_version,
        "scores": submission.scores,
        "flagged": labels_of(reasons),
    }


def times_of(submission: Submission) -> dict[str, str | None]:
    """When it was received, and when it was last decided or appealed; None before the verdict."""
    return {
        "received_at": utc(submission.created_at),
        "decided_at": utc(submission.decided_at) if submission.decided_at else None,
    }


def utc(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds: texts of the same length, in the order of time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def event(submission: Submission, name: str) -> dict[str, Any]:
    """The payload of a webhook call about a submission, without the time of the event."""
    return {
        "type": name,
        "data": {
            "job_id": str(submission.id),
            "external_id": submission.external_id,
            "user_id": submission.user_id,
            "verdict": submission.verdict,
            "visible": submission.visible,
            "review_owed": submission.review_owed,
            "reasons": reasons_of(submission),
            **judged_of(submission),
            **times_of(submission),
        },
    }


def labels_of(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    """The labels of these reasons, each once, in their order."""
    return list(dict.fromkeys(reason["label"] for reason in reasons))


def _of_moderator(label: str) -> dict[str, Any]:
    words = f": {label.replace('_', ' ')}" if label else ""
    return {
        "check": MODERATOR,
        "label": label or NO_LABEL,
        "explanation": f"A moderator decided{words}",
    }
