"""Where labels are in use: rules, known images and policies."""

from __future__ import annotations

from typing import NamedTuple

from models.database.connection import db

COUNTS = """
SELECT label, sum(rules)::int, sum(known)::int, sum(policies)::int FROM (
    SELECT label, count(*) AS rules, 0 AS known, 0 AS policies
    FROM rule WHERE removed_at IS NULL GROUP BY 1
    UNION ALL
    SELECT label, 0, count(*), 0 FROM known_hash WHERE removed_at IS NULL GROUP BY 1
    UNION ALL
    SELECT jsonb_object_keys(document->'labels'), 0, 0, 1 FROM (
        SELECT DISTINCT ON (policy_id) document FROM policy_version
        ORDER BY policy_id, number DESC) AS newest) AS each
GROUP BY 1
"""


class Uses(NamedTuple):
    """The rules and known images with a label that were not removed, switched off ones too, and the
    policies in force that have thresholds for it."""

    rules: int = 0
    known: int = 0
    policies: int = 0

    @property
    def words(self) -> str:
        """``12 rules and 3 known images``; empty if there are none."""
        named = (
            (self.rules, "rule", "rules"),
            (self.known, "known image", "known images"),
            (self.policies, "policy", "policies"),
        )
        return " and ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in named if n)


def uses() -> dict[str, Uses]:
    """The uses of each label that has some."""
    rows = db.execute_sql(COUNTS).fetchall()
    return {label: Uses(*counts) for label, *counts in rows}
