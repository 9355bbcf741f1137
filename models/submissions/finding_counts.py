"""How often each rule and known image matched recently."""

from __future__ import annotations

from models.database.connection import db

DAYS = 30  # the period that is counted
MOST_HITS = 1000  # counting stops here
# Counts matches of each id in ``ids`` that the evidence of a finding names, without notes.
HITS = """
SELECT asked.id, count(*) FROM unnest(%(ids)s::bigint[]) AS asked(id),
    LATERAL (SELECT DISTINCT submission_id FROM (
        SELECT submission_id FROM finding
        WHERE "check" = '{check}' AND (evidence->>'{evidence}')::bigint = asked.id {more}
            AND created_at > now() - make_interval(days => %(days)s) LIMIT %(most)s) AS f) AS hit
GROUP BY asked.id
"""
OF_RULES = HITS.format(check="rules", evidence="rule", more="")
OF_KNOWN = HITS.format(check="known_hashes", evidence="known", more="AND action <> 'note'")


def of_rules(ids: list[int]) -> dict[int, int]:
    """The number of submissions that each rule matched in the last 30 days, up to MOST_HITS."""
    return _count(OF_RULES, ids)


def of_known(ids: list[int]) -> dict[int, int]:
    """The number of submissions that each known image matched, with the same limits."""
    return _count(OF_KNOWN, ids)


def _count(sql: str, ids: list[int]) -> dict[int, int]:
    return dict(db.execute_sql(sql, {"ids": ids, "days": DAYS, "most": MOST_HITS}).fetchall())
