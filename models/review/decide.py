"""Decisions by moderators: approve, reject, and requests for a second opinion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.connection import db
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.labels.label_index import check_label
from models.moderation import appeal
from models.moderation.decision import Decision, change, follow
from models.people.moderator import Moderator
from models.review import eligibility
from models.settings import Settings
from models.submissions.submission import Submission
from models.verdict import REJECTED, REVIEW, VERDICTS


def decide(
    submission_id: UUID,
    moderator: Moderator,
    *,
    version: int,
    verdict: str,
    label: str,
    settings: Settings,
) -> int:
    """Record a moderator's verdict on the ``version`` they saw; returns the decision's id.

    Raises Conflict if the submission has changed since or another moderator has claimed it,
    Forbidden if somebody else must decide it (see ``eligibility``). The client's event is sent
    after the undo window.
    """
    with db.atomic():
        row = lock_to_decide(submission_id, moderator, version, verdict, label)
        return settle(row, moderator, verdict, label, settings)


def lock_to_decide(
    submission_id: UUID, moderator: Moderator, version: int, verdict: str, label: str
) -> Submission:
    """The locked row, if this moderator may decide this version of it; see ``decide``."""
    moderator.require_decider()
    check_outcome(verdict, label)
    row = _lock(submission_id)
    _check_unchanged(row, moderator, version)
    refusal = eligibility.refusal(row, moderator)
    if refusal:
        raise Forbidden(refusal)
    return row


def settle(
    row: Submission,
    moderator: Moderator,
    verdict: str,
    label: str,
    settings: Settings,
    *,
    group_id: UUID | None = None,
    blocked: Sequence[int] = (),
) -> int:
    """Record a moderator's verdict on a locked row, with its side effects."""
    before = change(row, verdict, row.client.policy(row.surface))
    decision = Decision.append(
        row,
        before,
        reason=label,
        moderator_id=moderator.id,
        group_id=group_id,
        blocked=blocked,
    )
    answers = row.appealed_at is not None and verdict != REVIEW
    reported = REJECTED if answers else before
    if reported != verdict:
        follow(row, reported, wait=settings.undo_seconds)
    if answers:
        appeal.answer(row, decision, settings.undo_seconds)
    more: dict[str, Any] = {"group": str(group_id)} if group_id else {}
    if blocked:
        more["blocked"] = list(blocked)
    Audit.append(
        "decide",
        str(row.id),
        moderator_id=moderator.id,
        before=before,
        after=verdict,
        reason=label,
        **more,
    )
    return decision


def escalate(submission_id: UUID, moderator: Moderator, *, version: int) -> None:
    """Ask for a second opinion: another moderator or an administrator must decide it."""
    moderator.require_decider()
    with db.atomic():
        row = _lock(submission_id)
        _check_unchanged(row, moderator, version)
        if row.verdict != REVIEW or row.review_owed:
            raise Conflict(
                "Only submissions waiting for review can be passed to another moderator."
            )
        Submission.update(
            escalated_at=peewee.fn.now(),
            escalated_by=moderator.id,
            review_by=None,
            review_until=None,
        ).where(Submission.id == row.id).execute()
        Audit.append("escalate", str(row.id), moderator_id=moderator.id)


def recall(submission_id: UUID, moderator: Moderator) -> Submission:
    """Withdraw one's own request for a second opinion; raises Conflict if it was decided."""
    moderator.require_decider()
    with db.atomic():
        row = _lock(submission_id)
        if row.escalated_by_id != moderator.id:
            raise NotFound("There is nothing to undo.")
        if row.verdict != REVIEW:
            raise Conflict(f"{_last_word(row)} this in the meantime: {row.verdict}.")
        Submission.update(escalated_at=None, escalated_by=None).where(
            Submission.id == row.id
        ).execute()
        Audit.append("recall", str(row.id), moderator_id=moderator.id)
    return Submission.get_by_id(row.id)


def check_outcome(verdict: str, label: str) -> None:
    """Raises Invalid for an unknown verdict or reason."""
    if verdict not in VERDICTS:
        raise Invalid(f"verdict must be one of {', '.join(VERDICTS)}.", field="verdict")
    if label:
        check_label(label)


def _lock(submission_id: UUID) -> Submission:
    row = Submission.select().where(Submission.id == submission_id).for_update().first()
    if row is None:
        raise NotFound("This submission no longer exists.")
    return row


def author_order(row: Submission) -> tuple[int, str, str]:
    """A sort key that groups submissions by author."""
    return row.client_id, row.user_id, str(row.id)


def _check_unchanged(row: Submission, moderator: Moderator, version: int) -> None:
    if row.purged_at is not None:
        raise Conflict("Its content is no longer kept, so it cannot be decided again.")
    if row.version != version:
        raise Conflict(f"{_last_word(row)} this while you had it open: {row.verdict}.")
    held = Submission.select().where(
        Submission.id == row.id,
        Submission.review_until > peewee.fn.now(),
        Submission.review_by != moderator.id,
    )
    if held.exists():
        raise Conflict(f"{row.review_by.name} has this open.")


def _last_word(row: Submission) -> str:
    last = (
        Decision.select(Decision, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Decision.submission == row.id)
        .order_by(Decision.id.desc())
        .first()
    )
    return f"{last.moderator.name if last and last.moderator_id else 'The machine'} decided"
