"""Claims: which flags a moderator gets, in which order, and for how long they are held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import peewee

from models.clients.client import Client
from models.database.connection import db
from models.people.moderator import Moderator
from models.submissions.submission import Submission

# What was let through unchecked leaves the debt when a person has decided it and not undone that.
NOT_BY_A_PERSON = """NOT EXISTS (
    SELECT 1 FROM decision d WHERE d.submission_id = submission.id
      AND d.moderator_id IS NOT NULL AND d.undoes IS NULL
      AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id))"""
FLAGGED = "submission.verdict = 'review' AND NOT submission.review_owed"
KINDS = {
    "all": FLAGGED,
    "priority": f"{FLAGGED} AND submission.priority = 'priority'",
    "appeals": f"{FLAGGED} AND submission.appealed_at IS NOT NULL",
    "debt": f"submission.review_owed AND {NOT_BY_A_PERSON}",
    "escalated": f"{FLAGGED} AND submission.escalated_at IS NOT NULL",
    "quarantined": f"{FLAGGED} AND submission.status = 'quarantined'",
}
WITH_LABEL = """EXISTS (SELECT 1 FROM finding f WHERE f.submission_id = submission.id
    AND f.label = %(label)s AND f.action IN ('reject', 'review'))"""
WITHOUT_PICTURE = "NOT EXISTS (SELECT 1 FROM image i WHERE i.submission_id = submission.id)"

NEXT = """
WITH next AS MATERIALIZED (
    SELECT id FROM submission
    WHERE {wanted}
      AND (review_until IS NULL OR review_until < now() OR review_by = %(moderator)s)
      AND (escalated_by IS DISTINCT FROM %(moderator)s OR %(own)s)
      AND NOT id = ANY(%(but)s::uuid[])
      AND {skipped} (review_by IS NOT DISTINCT FROM %(moderator)s
                     AND review_until IS NOT DISTINCT FROM to_timestamp(0))
    ORDER BY priority DESC, created_at, id
    LIMIT %(count)s FOR UPDATE SKIP LOCKED)
UPDATE submission SET review_by = %(moderator)s,
    review_until = now() + make_interval(secs => %(seconds)s)
FROM next WHERE submission.id = next.id
RETURNING submission.id
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which flags a moderator wants to see; all of them where nothing is said."""

    kind: str = "all"
    client_id: int | None = None
    label: str = ""
    text_only: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether it is more than one of the kinds."""
        return self.client_id is not None or bool(self.label)

    def sql(self) -> str:
        """The condition on ``submission``, with ``values`` for what comes from outside."""
        parts = [KINDS[self.kind]]
        if self.client_id is not None:
            parts.append("submission.client_id = %(client)s")
        if self.label:
            parts.append(WITH_LABEL)
        if self.text_only:
            parts.append(WITHOUT_PICTURE)
        return " AND ".join(parts)

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``sql``."""
        return {"client": self.client_id, "label": self.label}


def claim_next(
    moderator: Moderator,
    count: int,
    seconds: int,
    wanted: Filter | None = None,
    *,
    but: Sequence[UUID] = (),
    rested: bool = False,
) -> list[Submission]:
    """Claim up to ``count`` flags for a moderator, priority and age first.

    Those that the moderator holds already come again and are held longer; those that the
    moderator skipped come when there is nothing else; those in ``but`` are left alone, and so are
    those for which the moderator asked for a second opinion. ``rested``: the first is one without
    pictures, where there is one. Safe between moderators: a row that another transaction is
    claiming is skipped, and one that is claimed is left alone until its claim runs out.
    """
    wanted = wanted or Filter()
    first = [(replace(wanted, text_only=True), "NOT", 1)] if rested else []
    ids: list[UUID] = []
    for chosen, skipped, most in (*first, (wanted, "NOT", count), (wanted, "", count)):
        if len(ids) < count:
            values = chosen.values | {
                "moderator": moderator.id,
                "own": chosen.kind == "escalated" and moderator.can_configure,
                "seconds": seconds,
                "count": min(most, count - len(ids)),
                "but": [str(known) for known in (*but, *ids)],
            }
            sql = NEXT.format(wanted=chosen.sql(), skipped=skipped)
            ids += [row[0] for row in db.execute_sql(sql, values).fetchall()]
    return in_order(ids)


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


def let_go(moderator_id: int) -> None:
    """Give every claim of a moderator back."""
    Submission.update(review_by=None, review_until=None).where(
        Submission.review_by == moderator_id, Submission.review_until > peewee.fn.now()
    ).execute()


def skip(moderator_id: int, submission_id: UUID) -> None:
    """Give a claim back, for anyone else at once, for this moderator after all others."""
    Submission.update(review_until=peewee.fn.to_timestamp(0)).where(
        Submission.id == submission_id, Submission.review_by == moderator_id
    ).execute()


def listed(wanted: Filter, limit: int, after: UUID | None = None) -> list[Submission]:
    """Flags in the order of review without claiming them, after the one named."""
    sql = f"SELECT id FROM submission WHERE {wanted.sql()}"
    if after is not None:
        sql += (
            " AND (SELECT submission.priority < a.priority OR submission.priority = a.priority"
            " AND (submission.created_at, submission.id) > (a.created_at, a.id)"
            " FROM submission a WHERE a.id = %(after)s) IS NOT FALSE"
        )
    sql += " ORDER BY priority DESC, created_at, id LIMIT %(limit)s"
    values = wanted.values | {"limit": limit, "after": str(after)}
    return in_order([row[0] for row in db.execute_sql(sql, values).fetchall()])


def in_order(ids: Sequence[UUID]) -> list[Submission]:
    """These submissions with their clients, in the order of review."""
    if not ids:
        return []
    return list(
        Submission.select(Submission, Client)
        .join(Client)
        .where(Submission.id.in_(list(ids)))
        .order_by(Submission.priority.desc(), Submission.created_at, Submission.id)
    )


COUNTS = f"""
WITH waiting AS (
    SELECT priority, count(*) AS n, min(created_at) AS oldest
    FROM submission WHERE {FLAGGED} GROUP BY priority)
SELECT coalesce(sum(n), 0)::bigint,
    coalesce(sum(n) FILTER (WHERE priority = 'priority'), 0)::bigint,
    (SELECT count(*) FROM submission WHERE {FLAGGED} AND escalated_at IS NOT NULL),
    (SELECT count(*) FROM submission WHERE {FLAGGED} AND status = 'quarantined'),
    (SELECT count(*) FROM submission WHERE {FLAGGED} AND appealed_at IS NOT NULL),
    (SELECT count(*) FROM submission
        WHERE {FLAGGED} AND review_by IS NOT NULL AND review_until > now()),
    min(oldest)
FROM waiting
"""


def counts() -> dict[str, Any]:
    """How many flags wait: all, by kind, claimed ones, and the oldest one's time.

    Each number is read from an index that holds just those, without the rows.
    """
    row = db.execute_sql(COUNTS).fetchone()
    names = ("all", "priority", "escalated", "quarantined", "appeals", "claimed", "oldest")
    return dict(zip(names, row, strict=True))
