"""Decisions by moderators: approve, reject, block, undo, and requests for a second opinion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.connection import db
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.hash_bank import known_hash
from models.hash_bank.known_hash import KnownHash
from models.moderation import appeal
from models.moderation.decision import Decision, change, follow
from models.people.moderator import Moderator
from models.settings import Settings
from models.submissions.image import Image
from models.submissions.submission import QUARANTINED, Submission
from models.verdict import LABELS, REJECTED, REVIEW, VERDICTS
from models.webhooks import delivery


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
    Forbidden if this moderator asked for a second opinion on it. The client's event is sent after
    the undo window.
    """
    with db.atomic():
        row = _lock_to_decide(submission_id, moderator, version, verdict, label)
        return settle(row, moderator, verdict, label, settings)


def block(
    submission_id: UUID, moderator: Moderator, *, version: int, label: str, settings: Settings
) -> tuple[int, list[KnownHash]]:
    """Reject a submission and block its pictures and similar ones; one undo reverts both.

    Returns the decision's id and the known images; for those with ``look_owed`` a worker must
    compute the perceptual hash.
    """
    with db.atomic():
        row = _lock_to_decide(submission_id, moderator, version, REJECTED, label)
        existing = _known_hashes_of(row.id)
        blocked = known_hash.block_images_of(row, moderator, label or "other")
        new = [entry.id for entry in blocked if entry.id not in existing]
        decision = settle(row, moderator, REJECTED, label, settings, blocked=new)
    return decision, blocked


def _known_hashes_of(submission_id: UUID) -> set[int]:
    """Ids of existing entries for a submission's pictures."""
    images = list(Image.of(submission_id))
    codes = [bytes(code) for image in images for code in (image.sha256, image.pdq) if code]
    entries = KnownHash.select(KnownHash.id).where(
        KnownHash.hash.in_(codes), KnownHash.removed_at.is_null()
    )
    return {row[0] for row in entries.tuples()} if codes else set()


def _lock_to_decide(
    submission_id: UUID, moderator: Moderator, version: int, verdict: str, label: str
) -> Submission:
    moderator.require_decider()
    check_outcome(verdict, label)
    row = _lock(submission_id)
    _check_unchanged(row, moderator, version)
    if waits_for_another(row, moderator):
        raise Forbidden(
            "You asked for a second opinion on this. Another moderator or an administrator must"
            " decide it."
        )
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
    before = change(row, verdict, row.client.policy(settings), label)
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


def undo(
    moderator: Moderator, settings: Settings, decision_id: int | None = None
) -> list[Submission]:
    """Undo a moderator's own decision, by default the last one.

    Undoing a group decision undoes the whole group, except items that were decided again since.
    Within the undo window no webhook is sent; after it a compensating event is sent. Raises
    NotFound if there is nothing to undo, Conflict if everything was decided again since.
    """
    moderator.require_decider()
    with db.atomic():
        decision = _last_decision(moderator, decision_id)
        group = Decision.of_group(decision.group_id) if decision.group_id else [decision]
        locked = _lock_all([one.submission_id for one in group])
        rows = [_undo_one(one, locked, moderator, settings) for one in _by_author(group, locked)]
    undone = [row for row in rows if row is not None]
    if not undone:
        raise Conflict(
            "This was decided again since, or its content was deleted. It cannot be undone."
        )
    return list(Submission.select().where(Submission.id.in_(undone)))


def _undo_one(
    decision: Decision, locked: dict[UUID, Submission], moderator: Moderator, settings: Settings
) -> UUID | None:
    row = locked[decision.submission_id]
    if row.purged_at is not None or Decision.stands_after(decision):
        return None
    if decision.blocked:
        _unblock(decision, moderator)
    silent = delivery.cancel_unsent(row.id) > 0
    label = Decision.label_before(decision)
    before = change(row, decision.from_verdict, row.client.policy(settings), label)
    if decision.from_verdict == REVIEW and _was_quarantined(row.id):
        Submission.update(status=QUARANTINED).where(Submission.id == row.id).execute()
    Decision.append(row, before, reason="undo", moderator_id=moderator.id, undoes=decision.id)
    appealed = appeal.reopen(decision)
    if not appealed:
        follow(row, before, tell=not silent)
    elif before != REJECTED:
        follow(row, before, after=REJECTED, tell=not silent)
    Audit.append("undo", str(row.id), moderator_id=moderator.id, silent=silent)
    return UUID(str(row.id))


def _unblock(decision: Decision, moderator: Moderator) -> None:
    """Remove the known images that the decision added, and those a worker added for them since."""
    images = [image.id for image in Image.of(decision.submission_id)]
    since = KnownHash.select(KnownHash.id).where(
        KnownHash.image.in_(images),
        KnownHash.moderator == moderator.id,
        KnownHash.created_at > decision.created_at,
        KnownHash.removed_at.is_null(),
    )
    KnownHash.remove([*decision.blocked, *(row[0] for row in since.tuples())], moderator.id)


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


def waits_for_another(row: Submission, moderator: Moderator) -> bool:
    """Whether this moderator has asked for a second opinion on it."""
    asked: int | None = row.escalated_by_id
    return asked == moderator.id and row.verdict == REVIEW and not moderator.can_configure


def check_outcome(verdict: str, label: str) -> None:
    """Raises Invalid for an unknown verdict or reason."""
    if verdict not in VERDICTS:
        raise Invalid(f"verdict must be one of {', '.join(VERDICTS)}.", field="verdict")
    if label and label not in LABELS:
        raise Invalid(f"label must be one of {', '.join(LABELS)}.", field="label")


def _lock(submission_id: UUID) -> Submission:
    row = Submission.select().where(Submission.id == submission_id).for_update().first()
    if row is None:
        raise NotFound("This submission no longer exists.")
    return row


def _lock_all(ids: Sequence[UUID]) -> dict[UUID, Submission]:
    """Lock them in the order of their ids, so that two transactions cannot deadlock."""
    query = Submission.select().where(Submission.id.in_(list(ids)))
    return {row.id: row for row in query.order_by(Submission.id).for_update()}


def _by_author(group: Sequence[Decision], locked: dict[UUID, Submission]) -> list[Decision]:
    """Sorted in the order in which authors' rows are locked; see ``_lock_all``."""
    present = [one for one in group if one.submission_id in locked]
    return sorted(present, key=lambda one: author_order(locked[one.submission_id]))


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


def _last_decision(moderator: Moderator, decision_id: int | None) -> Decision:
    undone = Decision.alias()
    query = (
        Decision.select()
        .where(
            Decision.moderator == moderator.id,
            Decision.undoes.is_null(),
            ~peewee.fn.EXISTS(undone.select().where(undone.undoes == Decision.id)),
        )
        .order_by(Decision.id.desc())
    )
    if decision_id is not None:
        query = query.where(Decision.id == decision_id)
    decision = query.first()
    if decision is None:
        raise NotFound("There is nothing to undo.")
    return decision


def _was_quarantined(submission_id: UUID) -> bool:
    first = (
        Decision.select().where(Decision.submission == submission_id).order_by(Decision.id).first()
    )
    return first is not None and first.reason == "error"
