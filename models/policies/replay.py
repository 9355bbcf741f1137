"""Replay: what other policies would have decided on stored findings, without looking again.

One statement judges the newest decided submissions by two policies of each, as ``judge`` does, and
counts what flips; ``tests/policies/test_replay.py`` holds the two equal. It reads what was found: a
check that was left out because an earlier one had rejected stays left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import peewee

from models.database.connection import code_of, db
from models.errors import Invalid
from models.verdict import APPROVED, REJECTED, REVIEW, SCORED, SHADOW_CHECK, Policy

LISTED = 50  # flips that are named
CANCELED = "57014"  # PostgreSQL's code of a statement that took longer
TIMEOUT = 30_000  # milliseconds for one replay
RANKS = (APPROVED, REVIEW, REJECTED)  # a verdict by its rank
IDLE = [SHADOW_CHECK, "sample"]  # findings that do not count: the sample is drawn anew
Place = tuple[int, str]  # client and surface
PolicyOf = Callable[[int, str], Policy]

# `stated` is 2 for a rejection and 1 for a review that a rule or another check without a score
# asks for. Of a score, `sure` is the part on which a rejection may rest. `rank` is the verdict:
# 2 rejected, 1 review, 0 approved; an approval below the sample rate is a review (see sample_of).
_PAST = """
past AS MATERIALIZED (
    SELECT s.id, s.client_id, s.surface, s.created_at FROM submission s
    WHERE s.verdict IS NOT NULL AND NOT s.review_owed AND s.purged_at IS NULL AND {where}
    ORDER BY s.id DESC LIMIT %(most)s
)
"""
_PAIRS = """
, place AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(places)s)
        AS p (client_id bigint, surface text, which int, rate float8)
), bound AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(bounds)s)
        AS b (client_id bigint, surface text, which int, label text, review float8, reject float8)
), found AS MATERIALIZED (
    SELECT past.id, f.* FROM past CROSS JOIN LATERAL (
        SELECT f.label, max(CASE WHEN f."check" = ANY(%(scored)s) AND f.score IS NOT NULL THEN 0
            WHEN f.action = 'reject' THEN 2 WHEN f.action = 'review' THEN 1 ELSE 0 END) AS stated,
        max(f.score) FILTER (WHERE f."check" = ANY(%(scored)s))::float8 AS score,
        max(least(f.score::float8, (f.evidence->>'sure')::float8))
            FILTER (WHERE f."check" = ANY(%(scored)s) AND f.score IS NOT NULL) AS sure
        FROM finding f WHERE f.submission_id = past.id AND f."check" <> ALL(%(idle)s)
        GROUP BY f.label) f
), judged AS MATERIALIZED (
    SELECT past.id, place.which, place.rate, coalesce(max(greatest(found.stated, CASE
            WHEN found.sure >= bound.reject THEN 2
            WHEN found.score >= least(bound.review, bound.reject) THEN 1
            ELSE 0 END)), 0) AS rank
    FROM past
    JOIN place ON place.client_id = past.client_id AND place.surface = past.surface
    LEFT JOIN found ON found.id = past.id
    LEFT JOIN bound ON bound.client_id = past.client_id AND bound.surface = past.surface
        AND bound.which = place.which AND bound.label = found.label
    GROUP BY 1, 2, 3
), verdicts AS MATERIALIZED (
    SELECT id, which, CASE WHEN rank = 0 AND rate > 0 AND (
            ('x' || left(encode(sha256(uuid_send(id)), 'hex'), 12))::bit(48)::bigint / 2.0 ^ 48
        ) < rate THEN 1 ELSE rank END AS rank
    FROM judged
), pairs AS MATERIALIZED (
    SELECT id, max(rank) FILTER (WHERE which = 0) AS before,
        max(rank) FILTER (WHERE which = 1) AS after
    FROM verdicts GROUP BY id
)
"""
_COUNTS = """
, people AS MATERIALIZED (
    SELECT DISTINCT ON (d.submission_id) d.submission_id, d.to_verdict
    FROM past JOIN decision d ON d.submission_id = past.id
    WHERE d.moderator_id IS NOT NULL AND d.undoes IS NULL AND d.to_verdict <> 'review'
        AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id)
    ORDER BY d.submission_id, d.id DESC
), flips AS (
    SELECT id, before, after FROM pairs WHERE before <> after ORDER BY id DESC LIMIT %(listed)s
)
SELECT
    (SELECT jsonb_agg(jsonb_build_array(before, after, coalesce(to_verdict, ''), n)) FROM (
        SELECT before, after, to_verdict, count(*) AS n
        FROM pairs LEFT JOIN people ON people.submission_id = pairs.id GROUP BY 1, 2, 3) AS cell),
    (SELECT jsonb_agg(jsonb_build_array(id, before, after) ORDER BY id DESC) FROM flips),
    (SELECT extract(epoch FROM max(created_at) - min(created_at)) FROM past)
"""


@dataclass(frozen=True, slots=True)
class Quality:
    """One policy on the past: verdicts by name, and how people had decided.

    ``flagged``: of what it does not approve, (rejected by people, decided by people). ``missed``:
    of what people rejected, (approved by it, all).
    """

    verdicts: Mapping[str, int]
    flagged: tuple[int, int]
    missed: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Replay:
    """Both policies on the same submissions, and what flips between them."""

    total: int
    seconds: float  # between the oldest and the newest
    before: Quality
    after: Quality
    flips: Mapping[tuple[str, str], int]
    examples: list[tuple[UUID, str, str]]


def replay(
    before: PolicyOf, after: PolicyOf, client_id: int | None, surface: str, most: int
) -> Replay:
    """Judge the newest ``most`` decided submissions of a client's surface by two policies.

    Without a surface it is all of the client's, without a client all of them. Those whose content
    was deleted have no findings left, so they do not count. Raises Invalid if it takes too long.
    """
    where, values = _where(client_id, surface)
    values |= {"most": most, "listed": LISTED}
    try:
        with db.atomic():
            db.execute_sql(f"SET LOCAL statement_timeout = {TIMEOUT}")
            # The planner takes the tables that are parameters for far smaller than they are, and
            # would walk over all findings for each upload.
            db.execute_sql("SET LOCAL enable_nestloop = off")
            sql, values = _statement(before, after, where, values)
            cells, flips, seconds = db.execute_sql(sql + _COUNTS, values).fetchone()
    except peewee.OperationalError as error:
        if code_of(error) != CANCELED:
            raise
        raise Invalid("This takes too long. Choose fewer uploads.", field="most") from error
    return _result(cells or [], flips or [], float(seconds or 0))


def items(
    before: PolicyOf, after: PolicyOf, client_id: int | None, surface: str, most: int
) -> dict[UUID, tuple[str, str]]:
    """The two verdicts of each submission; see ``replay``."""
    where, values = _where(client_id, surface)
    sql, values = _statement(before, after, where, {**values, "most": most})
    rows = db.execute_sql(sql + " SELECT id, before, after FROM pairs", values).fetchall()
    return {row[0]: (RANKS[row[1]], RANKS[row[2]]) for row in rows}


def _where(client_id: int | None, surface: str) -> tuple[str, dict[str, Any]]:
    if client_id is None:
        return "true", {}
    if not surface:
        return "s.client_id = %(client)s", {"client": client_id}
    # The partial index of surfaces has no rows without one.
    where = "s.client_id = %(client)s AND s.surface = %(surface)s AND s.surface <> ''"
    return where, {"client": client_id, "surface": surface}


def _statement(
    before: PolicyOf, after: PolicyOf, where: str, values: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    past = "WITH " + _PAST.format(where=where)
    rows = db.execute_sql(past + " SELECT DISTINCT client_id, surface FROM past", values)
    places = [(row[0], row[1]) for row in rows.fetchall()]
    policies = [
        (place, which, of(*place)) for place in places for which, of in enumerate((before, after))
    ]
    return past + _PAIRS, {
        **values,
        "places": json.dumps([_place_row(*each) for each in policies]),
        "bounds": json.dumps([row for each in policies for row in _bound_rows(*each)]),
        "scored": list(SCORED),
        "idle": IDLE,
    }


def _place_row(place: Place, which: int, policy: Policy) -> dict[str, Any]:
    client_id, surface = place
    rate = policy.sample_rate
    return {"client_id": client_id, "surface": surface, "which": which, "rate": rate}


def _bound_rows(place: Place, which: int, policy: Policy) -> Iterable[dict[str, Any]]:
    client_id, surface = place
    for label, (review, reject) in policy.thresholds.items():
        own = {"client_id": client_id, "surface": surface, "which": which, "label": label}
        yield {**own, "review": review, "reject": reject}


def _result(cells: list[list[Any]], flips: list[list[Any]], seconds: float) -> Replay:
    counts = [(RANKS[old], RANKS[new], person, n) for old, new, person, n in cells]
    changed: dict[tuple[str, str], int] = {}
    for old, new, _, n in counts:
        if old != new:
            changed[old, new] = changed.get((old, new), 0) + n
    return Replay(
        total=sum(n for *_, n in counts),
        seconds=seconds,
        before=_quality((old, person, n) for old, _, person, n in counts),
        after=_quality((new, person, n) for _, new, person, n in counts),
        flips=changed,
        examples=[(UUID(text), RANKS[old], RANKS[new]) for text, old, new in flips],
    )


def _quality(counts: Iterable[tuple[str, str, int]]) -> Quality:
    verdicts = dict.fromkeys(RANKS, 0)
    right = flagged = missed = bad = 0
    for verdict, person, n in counts:
        verdicts[verdict] += n
        if person and verdict != APPROVED:
            flagged += n
            right += n * (person == REJECTED)
        if person == REJECTED:
            bad += n
            missed += n * (verdict == APPROVED)
    return Quality(verdicts, (right, flagged), (missed, bad))
