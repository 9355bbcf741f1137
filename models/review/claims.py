"""Review claims: which flags a moderator gets, in what order, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import peewee

from models.clients.client import Client
from models.database.connection import db
from models.errors import Conflict, NotFound
from models.people.moderator import Moderator
from models.review.eligibility import OTHERS_ARE_ACTIVE, OWN_APPEAL
from models.submissions.submission import Submission

# A submission leaves the debt when a person has decided it and has not undone the decision.
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

NEXT = f"""
WITH next AS MATERIALIZED (
    SELECT id FROM submission
    WHERE {{conditions}}
      AND (review_until IS NULL OR review_until < now() OR review_by = %(moderator)s)
      AND (escalated_by IS DISTINCT FROM %(moderator)s OR %(own)s)
      AND NOT id = ANY(%(exclude)s::uuid[])
      AND NOT ({OWN_APPEAL} AND {OTHERS_ARE_ACTIVE})
      AND {{skipped}} (review_by IS NOT DISTINCT FROM %(moderator)s
                     AND review_until IS NOT DISTINCT FROM to_timestamp(0))
    ORDER BY priority DESC, created_at, id
    LIMIT %(count)s FOR UPDATE SKIP LOCKED)
UPDATE submission SET review_by = %(moderator)s,
    review_until = now() + make_interval(secs => %(seconds)s)
FROM next WHERE submission.id = next.id
RETURNING submission.id
"""


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which flags to select; the default selects all."""

    kind: str = "all"
    client_id: int | None = None
    label: str = ""
    text_only: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether it restricts more than the kind."""
        return self.client_id is not None or bool(self.label)

    def sql(self) -> str:
        """The SQL condition on ``submission``, with ``values`` as parameters."""
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
    criteria: ReviewFilter | None = None,
    *,
    exclude: Sequence[UUID] = (),
    rested: bool = False,
) -> list[Submission]:
    """Claim up to ``count`` flags for a moderator, by priority and age.

    Flags that the moderator already holds are returned again and their claims extended. Flags that
    the moderator skipped come last. Those in ``exclude`` are left out, and those that somebody else
    must decide (see ``eligibility``). ``rested``: the first flag is one without pictures, if
    there is one. Safe with several moderators: a row that another transaction is claiming is
    skipped, and a claimed one is left out until its claim expires.
    """
    criteria = criteria or ReviewFilter()
    first = [(replace(criteria, text_only=True), "NOT", 1)] if rested else []
    ids: list[UUID] = []
    for chosen, skipped, most in (*first, (criteria, "NOT", count), (criteria, "", count)):
        if len(ids) < count:
            values = chosen.values | {
                "moderator": moderator.id,
                "own": chosen.kind == "escalated" and moderator.can_configure,
                "seconds": seconds,
                "count": min(most, count - len(ids)),
                "exclude": [str(id_) for id_ in (*exclude, *ids)],
            }
            sql = NEXT.format(conditions=chosen.sql(), skipped=skipped)
            ids += [row[0] for row in db.execute_sql(sql, values).fetchall()]
    return in_order(ids)


def hold(moderator_id: int, ids: Sequence[UUID], seconds: int) -> list[UUID]:
    """Extend a moderator's claims on flags open in the browser; returns those still held.

    An expired claim is renewed unless another moderator has claimed the flag, or must decide it.
    """
    rows = db.execute_sql(
        "UPDATE submission SET review_by = %(moderator)s,"
        " review_until = now() + make_interval(secs => %(seconds)s)"
        " WHERE id = ANY(%(ids)s::uuid[]) AND (verdict = 'review' OR review_owed)"
        " AND (review_until IS NULL OR review_until < now() OR review_by = %(moderator)s)"
        f" AND NOT ({OWN_APPEAL} AND {OTHERS_ARE_ACTIVE}) RETURNING id",
        {"moderator": moderator_id, "seconds": seconds, "ids": [str(id_) for id_ in ids]},
    ).fetchall()
    return [row[0] for row in rows]


def release_all(moderator_id: int) -> None:
    """Release all claims of a moderator."""
    Submission.update(review_by=None, review_until=None).where(
        Submission.review_by == moderator_id, Submission.review_until > peewee.fn.now()
    ).execute()


def skip(moderator_id: int, submission_id: UUID) -> None:
    """Release a claim: others can take it at once; this moderator gets it after all others."""
    Submission.update(review_until=peewee.fn.to_timestamp(0)).where(
        Submission.id == submission_id, Submission.review_by == moderator_id
    ).execute()


def unskip(moderator: Moderator, submission_id: UUID, seconds: int) -> Submission:
    """Claim a skipped flag again; raises Conflict if it was decided or claimed since."""
    moderator.require_decider()
    row: Submission | None = Submission.get_or_none(Submission.id == submission_id)
    if row is None:
        raise NotFound("This submission no longer exists.")
    if not hold(moderator.id, [submission_id], seconds):
        taken = row.review_by_id not in (None, moderator.id)
        who = row.review_by.name if taken else "Somebody"
        raise Conflict(f"{who} has opened or decided this since you skipped it.")
    return Submission.get_by_id(submission_id)


def listed(criteria: ReviewFilter, limit: int, after: UUID | None = None) -> list[Submission]:
    """Flags in review order, after the id ``after``, without claiming them."""
    sql = f"SELECT id FROM submission WHERE {criteria.sql()}"
    if after is not None:
        sql += (
            " AND (SELECT submission.priority < a.priority OR submission.priority = a.priority"
            " AND (submission.created_at, submission.id) > (a.created_at, a.id)"
            " FROM submission a WHERE a.id = %(after)s) IS NOT FALSE"
        )
    sql += " ORDER BY priority DESC, created_at, id LIMIT %(limit)s"
    values = criteria.values | {"limit": limit, "after": str(after)}
    return in_order([row[0] for row in db.execute_sql(sql, values).fetchall()])


def in_order(ids: Sequence[UUID]) -> list[Submission]:
    """These submissions with their clients, in review order."""
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
    """The number of waiting flags: all, by kind and claimed; and the time of the oldest.

    Each number is read from a partial index, without the rows.
    """
    row = db.execute_sql(COUNTS).fetchone()
    names = ("all", "priority", "escalated", "quarantined", "appeals", "claimed", "oldest")
    return dict(zip(names, row, strict=True))
