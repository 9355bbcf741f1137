"""How often something was found: rules and known images, of the last days."""

from __future__ import annotations

from models.database.connection import db

DAYS = 30  # of which hits are counted
MOST_HITS = 1000  # counting ends here
# Each number in ``ids`` that ``evidence`` of a finding names; a note asks for nothing, so is none.
HITS = """
SELECT wanted.id, count(*) FROM unnest(%(ids)s::bigint[]) AS wanted(id),
    LATERAL (SELECT DISTINCT submission_id FROM (
        SELECT submission_id FROM finding
        WHERE "check" = '{check}' AND (evidence->>'{evidence}')::bigint = wanted.id {more}
            AND created_at > now() - make_interval(days => %(days)s) LIMIT %(most)s) AS f) AS hit
GROUP BY wanted.id
"""
OF_RULES = HITS.format(check="rules", evidence="rule", more="")
OF_KNOWN = HITS.format(check="known_hashes", evidence="known", more="AND action <> 'note'")


def of_rules(ids: list[int]) -> dict[int, int]:
    """In how many submissions each rule was found in the last 30 days, up to MOST_HITS."""
    return _count(OF_RULES, ids)


def of_known(ids: list[int]) -> dict[int, int]:
    """How many submissions each known image hit, likewise."""
    return _count(OF_KNOWN, ids)


def _count(sql: str, ids: list[int]) -> dict[int, int]:
    return dict(db.execute_sql(sql, {"ids": ids, "days": DAYS, "most": MOST_HITS}).fetchall())
