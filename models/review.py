"""Review: moderators claim what the machine is unsure of, decide it, and can undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import peewee

from models import delivery
from models.audit import Audit
from models.client import Client
from models.db import db
from models.decision import Decision, change, follow
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.moderator import Moderator
from models.settings import Settings
from models.submission import QUARANTINED, Submission
from models.verdict import LABELS, VERDICTS

NEXT = """
WITH next AS MATERIALIZED (
    SELECT id FROM submission
    WHERE {wanted}
      AND (review_until IS NULL OR review_until < now() OR review_by = %(moderator)s)
      AND {skipped} (review_by IS NOT DISTINCT FROM %(moderator)s
                     AND review_until IS NOT DISTINCT FROM to_timestamp(0))
    ORDER BY priority DESC, created_at, id
    LIMIT %(count)s FOR UPDATE SKIP LOCKED)
UPDATE submission SET review_by = %(moderator)s,
    review_until = now() + make_interval(secs => %(seconds)s)
FROM next WHERE submission.id = next.id
RETURNING submission.id
"""

# What was let through unchecked leaves the debt when a person has decided it and not undone that.
NOT_BY_A_PERSON = """NOT EXISTS (
    SELECT 1 FROM decision d WHERE d.submission_id = submission.id
      AND d.moderator_id IS NOT NULL AND d.undoes IS NULL
      AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id))"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which flags a moderator wants to see; all of them where nothing is said."""

    priority: bool = False
    client_id: int | None = None
    debt: bool = False

    def sql(self) -> str:
        """The condition; its values are whole numbers and booleans, never text from outside."""
        flagged = "verdict = 'review' AND NOT review_owed"
        parts = [f"review_owed AND {NOT_BY_A_PERSON}" if self.debt else flagged]
        if self.priority:
            parts.append("priority = 'priority'")
        if self.client_id is not None:
            parts.append(f"client_id = {int(self.client_id)}")
        return " AND ".join(parts)


def claim_next(
    moderator_id: int,
    count: int,
    seconds: int,
    wanted: Filter | None = None,
    *,
    but: Sequence[UUID] = (),
) -> list[Submission]:
    """Claim up to ``count`` flags for a moderator, priority and age first.

    Those that the moderator holds already come again and are held longer; those that the
    moderator skipped come when there is nothing else; those in ``but`` are left alone. Safe
    between moderators: a row that another transaction is claiming is skipped, and one that is
    claimed is left alone until its claim runs out.
    """
    ids: list[UUID] = []
    for skipped in ("NOT", ""):
        if len(ids) < count:
            condition = (wanted or Filter()).sql() + " AND NOT submission.id = ANY(%(but)s::uuid[])"
            sql = NEXT.format(wanted=condition, skipped=skipped)
            values = {
                "moderator": moderator_id,
                "seconds": seconds,
                "count": count - len(ids),
                "but": [str(known) for known in (*but, *ids)],
            }
            ids += [row[0] for row in db.execute_sql(sql, values).fetchall()]
    return _in_order(Submission.id.in_(ids)) if ids else []


def hold(moderator_id: int, ids: Sequence[UUID], seconds: int) -> list[UUID]:
    """Extend a moderator's claims on what is open in the browser; returns those that hold.

    A claim that ran out is taken again unless another moderator has the item by now.
    """
    rows = db.execute_sql(
        "UPDATE submission SET review_by = %(moderator)s,"
        " review_until = now() + make_interval(secs => %(seconds)s)"
        " WHERE id = ANY(%(ids)s::uuid[]) AND (verdict = 'review' OR review_owed)"
        " AND (review_until IS NULL OR review_until < now() OR review_by = %(moderator)s)"
        " RETURNING id",
        {"moderator": moderator_id, "seconds": seconds, "ids": [str(known) for known in ids]},
    ).fetchall()
    return [row[0] for row in rows]


def skip(moderator_id: int, submission_id: UUID) -> None:
    """Give a claim back, for anyone else at once, for this moderator after all others."""
    Submission.update(review_until=peewee.fn.to_timestamp(0)).where(
        Submission.id == submission_id, Submission.review_by == moderator_id
    ).execute()


def decided_today(moderator_id: int) -> int:
    """How many decisions of the moderator since midnight, by the database's clock, still hold."""
    undone = Decision.alias()
    return (
        Decision.select()
        .where(
            Decision.moderator == moderator_id,
            Decision.undoes.is_null(),
            ~peewee.fn.EXISTS(undone.select().where(undone.undoes == Decision.id)),
            Decision.created_at >= peewee.fn.date_trunc("day", peewee.fn.now()),
        )
        .count()
    )


def listed(wanted: Filter, limit: int, after: UUID | None = None) -> list[Submission]:
    """Flags in the order of review without claiming them, after the one named."""
    condition = peewee.SQL(f"({wanted.sql()})".replace("submission.id", '"t1"."id"'))
    if after is not None:
        place = Submission.select(Submission.priority, Submission.created_at, Submission.id).where(
            Submission.id == after
        )
        row = place.tuples().first()
        if row is not None:
            condition &= (Submission.priority < row[0]) | (
                (Submission.priority == row[0])
                & (peewee.Tuple(Submission.created_at, Submission.id) > peewee.Tuple(*row[1:]))
            )
    return _in_order(condition, limit)


def _in_order(condition: Any, limit: int | None = None) -> list[Submission]:
    return list(
        Submission.select(Submission, Client)
        .join(Client)
        .where(condition)
        .order_by(Submission.priority.desc(), Submission.created_at, Submission.id)
        .limit(limit)
    )


def counts() -> dict[str, Any]:
    """How many flags wait: all, priority ones, claimed ones, and the oldest one's time."""
    row = db.execute_sql(
        "SELECT count(*), count(*) FILTER (WHERE priority = 'priority'),"
        " count(*) FILTER (WHERE review_until > now()), min(created_at)"
        " FROM submission WHERE verdict = 'review' AND NOT review_owed"
    ).fetchone()
    return dict(zip(("all", "priority", "claimed", "oldest"), row, strict=True))


def decide(
    submission_id: UUID,
    moderator: Moderator,
    *,
    version: int,
    verdict: str,
    label: str,
    settings: Settings,
) -> int:
    """A person's verdict on a submission as they saw it; returns the decision's id.

    Raises Conflict where it changed since (``version``) or another moderator holds it. The
    client's event waits for the undo window.
    """
    _may_decide(moderator)
    if verdict not in VERDICTS:
        raise Invalid(f"A verdict is one of {', '.join(VERDICTS)}.", field="verdict")
    if label and label not in LABELS:
        raise Invalid(f"A reason is one of {', '.join(LABELS)}.", field="label")
    with db.atomic():
        row = _locked(submission_id)
        _unchanged(row, moderator, version)
        before = change(row, verdict, row.client.policy(settings))
        decision = Decision.append(row, before, reason=label, moderator_id=moderator.id)
        if before != verdict:
            follow(row, before, wait=settings.undo_seconds)
        Audit.append(
            "decide",
            str(row.id),
            moderator_id=moderator.id,
            before=before,
            after=verdict,
            reason=label,
        )
    return decision


def undo(moderator: Moderator, settings: Settings, decision_id: int | None = None) -> Submission:
    """Take a moderator's own decision back, the last one where none is named.

    Within the undo window the client never hears of it; after it a compensating event goes out.
    Raises NotFound where there is nothing to undo, Conflict where somebody decided since.
    """
    _may_decide(moderator)
    with db.atomic():
        decision = _last_decision(moderator, decision_id)
        row = _locked(decision.submission_id)
        newer = (
            Decision.select()
            .where(Decision.submission == row.id, Decision.id > decision.id)
            .exists()
        )
        if newer:
            raise Conflict("Somebody has decided this again since; it cannot be undone.")
        silent = delivery.cancel_unsent(row.id) > 0
        before = change(row, decision.from_verdict, row.client.policy(settings))
        if decision.from_verdict == "review" and _was_quarantined(row.id):
            Submission.update(status=QUARANTINED).where(Submission.id == row.id).execute()
        Decision.append(row, before, reason="undo", moderator_id=moderator.id, undoes=decision.id)
        follow(row, before, tell=not silent)
        Audit.append("undo", str(row.id), moderator_id=moderator.id, silent=silent)
    return Submission.get_by_id(row.id)


def _may_decide(moderator: Moderator) -> None:
    if not moderator.can_decide:
        raise Forbidden("A viewer cannot decide. Ask an administrator for the moderator role.")


def _locked(submission_id: UUID) -> Submission:
    row = Submission.select().where(Submission.id == submission_id).for_update().first()
    if row is None:
        raise NotFound("This submission is gone.")
    return row


def _unchanged(row: Submission, moderator: Moderator, version: int) -> None:
    if row.version != version:
        last = (
            Decision.select(Decision, Moderator)
            .join(Moderator, peewee.JOIN.LEFT_OUTER)
            .where(Decision.submission == row.id)
            .order_by(Decision.id.desc())
            .first()
        )
        who = last.moderator.name if last and last.moderator_id else "The machine"
        raise Conflict(f"{who} decided this while you had it open: {row.verdict}.")
    held = Submission.select().where(
        Submission.id == row.id,
        Submission.review_until > peewee.fn.now(),
        Submission.review_by != moderator.id,
    )
    if held.exists():
        raise Conflict(f"{row.review_by.name} has this open now.")


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
