"""Groups of related flags: similar pictures, one author's uploads, one rule's matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import peewee
from uuid_utils.compat import uuid7

from models.database.connection import db, one
from models.errors import Conflict, Invalid
from models.people.moderator import Moderator
from models.review import decide as review
from models.review import eligibility
from models.review.claims import FLAGGED, ReviewFilter, in_order
from models.settings import Settings
from models.submissions.image import MIN_PDQ_QUALITY
from models.submissions.submission import Submission

KINDS = ("alike", "author", "rule")
MOST = 500  # flags that can be decided at once

LOOKED_AT = 300  # next flags in review order, or newest uploads of an author, that are compared
PASSED = 3000  # flags in review order that are read to find these

# The next flags of the same clients that meet the filter, in review order, if any of the given ones
# can have related flags of this kind.
OPEN = f"""
    SELECT submission.id, submission.client_id FROM (
        SELECT * FROM submission WHERE {FLAGGED} AND EXISTS (SELECT 1 FROM given)
        ORDER BY priority DESC, created_at, id LIMIT {PASSED}) submission
    WHERE client_id IN (SELECT client_id FROM given) AND {{criteria}}
    ORDER BY priority DESC, created_at, id LIMIT {LOOKED_AT}"""
# (of, id): the open flags ``id`` of the same client that are related to each of the flags ``of``.
# Each query reads a bounded number of rows, however many flags wait or were decided before.
ALIKE = f"""
WITH given AS (
    SELECT i.submission_id AS of, s.client_id, ('x' || encode(i.pdq, 'hex'))::bit(256) AS bits
    FROM image i JOIN submission s ON s.id = i.submission_id
    WHERE i.submission_id = ANY(%(ids)s::uuid[]) AND i.pdq_quality >= {MIN_PDQ_QUALITY}),
open AS MATERIALIZED (
    SELECT next.id, next.client_id, ('x' || encode(i.pdq, 'hex'))::bit(256) AS bits
    FROM ({OPEN}) next
    CROSS JOIN LATERAL (  -- never a join of all pictures
        SELECT pdq FROM image WHERE submission_id = next.id
        AND pdq_quality >= {MIN_PDQ_QUALITY} OFFSET 0) i)
SELECT DISTINCT given.of, open.id FROM given JOIN open
    ON open.id <> given.of AND open.client_id = given.client_id
    AND bit_count(given.bits # open.bits) <= %(distance)s
"""
AUTHOR = f"""
SELECT given.id AS of, submission.id FROM submission given CROSS JOIN LATERAL (
    SELECT * FROM submission s
    WHERE s.client_id = given.client_id AND s.user_id = given.user_id
    ORDER BY s.id DESC LIMIT {LOOKED_AT}) submission
WHERE given.id = ANY(%(ids)s::uuid[]) AND submission.id <> given.id AND {FLAGGED}
  AND {{criteria}}
"""
RULE = f"""
WITH given AS (
    SELECT DISTINCT ON (f.submission_id) f.submission_id AS of, s.client_id,
        (f.evidence->>'rule')::bigint AS rule
    FROM finding f JOIN submission s ON s.id = f.submission_id
    WHERE f.submission_id = ANY(%(ids)s::uuid[])
      AND f."check" = 'rules' AND f.action IN ('reject', 'review')
    ORDER BY f.submission_id, f.action, f.id),
open AS MATERIALIZED (
    SELECT next.id, next.client_id, hit.rule FROM ({OPEN}) next
    CROSS JOIN LATERAL (  -- never all matches of a rule, most of which were decided long ago
        SELECT (evidence->>'rule')::bigint AS rule FROM finding
        WHERE submission_id = next.id AND "check" = 'rules' OFFSET 0) hit)
SELECT DISTINCT given.of, open.id FROM given JOIN open USING (client_id, rule)
WHERE open.id <> given.of
"""
QUERIES = dict(zip(KINDS, (ALIKE, AUTHOR, RULE), strict=True))


@dataclass(frozen=True, slots=True)
class GroupDecision:
    """The result of a group decision: its last decision's id, numbers decided and left out."""

    decision: int
    decided: int
    left_out: int


def counts(
    ids: Sequence[UUID], distance: int, criteria: ReviewFilter | None = None
) -> dict[UUID, dict[str, int]]:
    """The number of related open flags for each of these, by kind; only kinds that have any.

    Related flags are of the same client and meet the filter.
    """
    related: dict[UUID, dict[str, int]] = {}
    criteria = criteria or ReviewFilter()
    values = criteria.values | {"ids": [str(id_) for id_ in ids], "distance": distance}
    for kind in KINDS if ids else ():
        query = _query(kind, criteria)
        sql = f"SELECT of, count(*) FROM ({query}) AS pairs GROUP BY of"
        for of, number in db.execute_sql(sql, values).fetchall():
            related.setdefault(of, {})[kind] = number
    return related


def members(
    submission_id: UUID, kind: str, distance: int, criteria: ReviewFilter | None = None
) -> list[Submission]:
    """The flag, and the related flags of its client that meet the filter.

    Raises Invalid for an unknown kind.
    """
    if kind not in QUERIES:
        raise Invalid(f"by must be one of {', '.join(KINDS)}.", field="by")
    criteria = criteria or ReviewFilter()
    query = _query(kind, criteria)
    sql = f"SELECT id FROM ({query}) AS pairs ORDER BY id LIMIT {MOST}"
    values = criteria.values | {"ids": [str(submission_id)], "distance": distance}
    rows = db.execute_sql(sql, values).fetchall()
    return in_order([submission_id, *(row[0] for row in rows)])


def rule_of(submission_id: UUID) -> int | None:
    """The rule that the group of kind ``rule`` of this flag is about."""
    sql = (
        "SELECT (evidence->>'rule')::bigint FROM finding WHERE submission_id = %s"
        " AND \"check\" = 'rules' AND action IN ('reject', 'review') ORDER BY action, id LIMIT 1"
    )
    row = one(sql, str(submission_id))
    return row[0] if row else None


def _query(kind: str, criteria: ReviewFilter) -> str:
    return QUERIES[kind].replace("{criteria}", criteria.sql())


def decide(
    chosen: Sequence[tuple[UUID, int]],
    moderator: Moderator,
    *,
    verdict: str,
    label: str,
    settings: Settings,
) -> GroupDecision:
    """Give all of these (id, version) pairs one verdict, in one transaction.

    Each gets its own decision, delivery, strike and audit row. Left out are flags that changed
    since, that others hold, or that somebody else must decide. Safe when several moderators do it:
    rows are locked in the order of their ids, then authors in theirs. Raises Conflict if nothing
    is left.
    """
    moderator.require_decider()
    review.check_outcome(verdict, label)
    versions = dict(chosen[:MOST])
    group_id = uuid7()
    with db.atomic():
        free = [
            row
            for row in _lock_unclaimed(list(versions), moderator)
            if row.version == versions[row.id] and not eligibility.refusal(row, moderator)
        ]
        free.sort(key=review.author_order)
        decisions = [
            review.settle(row, moderator, verdict, label, settings, group_id=group_id)
            for row in free
        ]
    if not decisions:
        raise Conflict(
            "Nothing was decided: other moderators have these open or have decided them."
        )
    return GroupDecision(decisions[-1], len(decisions), len(versions) - len(decisions))


def _lock_unclaimed(ids: list[UUID], moderator: Moderator) -> list[Submission]:
    """Lock these flags; returns those that no other moderator has claimed."""
    query = Submission.select().where(Submission.id.in_(ids)).order_by(Submission.id)
    rows = list(query.for_update())
    held = Submission.select(Submission.id).where(
        Submission.id.in_(ids),
        Submission.review_until > peewee.fn.now(),
        Submission.review_by != moderator.id,
    )
    taken = {row[0] for row in held.tuples()}
    return [row for row in rows if row.id not in taken]
