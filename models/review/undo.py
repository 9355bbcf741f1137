"""Undo: take back a moderator's decision, or a group of them, with all that followed from it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.connection import db
from models.errors import Conflict, NotFound
from models.moderation import appeal
from models.moderation.decision import Decision, change, follow
from models.people.moderator import Moderator
from models.review import block, followers
from models.review.decide import author_order
from models.settings import Settings
from models.submissions.submission import QUARANTINED, Submission
from models.verdict import REJECTED, REVIEW
from models.webhooks import delivery


def undo(
    moderator: Moderator, settings: Settings, decision_id: int | None = None
) -> list[Submission]:
    """Undo a moderator's own decision, by default the last one.

    What followed from it is undone too: a block's known images, and the machine's rejections for
    them with their strikes; those uploads are checked again, the first ``followers.BATCH`` now and
    the rest by the standby. Undoing a group decision undoes the whole group, except items that were
    decided again since. Within the undo window no webhook is sent; after it a compensating event is
    sent. Raises NotFound if there is nothing to undo, Conflict if everything was decided again
    since.

    Safe beside other decisions: all rows are locked at once in the order of their ids, and only
    then is tested whether they may still be undone or rechecked.
    """
    moderator.require_decider()
    with db.atomic():
        decision = _last_decision(moderator, decision_id)
        group = Decision.of_group(decision.group_id) if decision.group_id else [decision]
        blocks = [one for one in group if one.blocked]
        following = followers.first([id_ for one in blocks for id_ in block.added_by(one)])
        locked = followers.lock_all([*(one.submission_id for one in group), *following])
        undoable = {one.submission_id: one for one in group if _is_undoable(one, locked)}
        freed = [one for one in blocks if one.submission_id in undoable]
        known = [id_ for one in freed for id_ in block.unblock(one, moderator)]
        for one in undoable.values():
            block.change_back(one, moderator)
        rejected = set(followers.still(known, following))
        for row in sorted(locked.values(), key=author_order):
            if row.id in undoable:
                _undo_one(undoable[row.id], row, moderator, settings)
            elif row.id in rejected:
                followers.recheck(row, moderator.id, settings)
    if not undoable:
        raise Conflict(
            "This was decided again since, or its content was deleted. It cannot be undone."
        )
    return list(Submission.select().where(Submission.id.in_(list(undoable))))


def _is_undoable(decision: Decision, locked: Mapping[UUID, Submission]) -> bool:
    row = locked.get(decision.submission_id)
    return row is not None and row.purged_at is None and not Decision.stands_after(decision)


def _undo_one(
    decision: Decision, row: Submission, moderator: Moderator, settings: Settings
) -> None:
    silent = delivery.cancel_unsent(row.id) > 0
    before = change(row, decision.from_verdict, row.client.policy(row.surface))
    if decision.from_verdict == REVIEW and _was_quarantined(row.id):
        Submission.update(status=QUARANTINED).where(Submission.id == row.id).execute()
    Decision.append(row, before, reason="undo", moderator_id=moderator.id, undoes=decision.id)
    appealed = appeal.reopen(decision)
    if not appealed:
        follow(row, before, tell=not silent)
    elif before != REJECTED:
        follow(row, before, after=REJECTED, tell=not silent)
    Audit.append("undo", str(row.id), moderator_id=moderator.id, silent=silent)


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
