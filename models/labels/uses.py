"""Where labels are in use: rules and known images that apply, and recent decisions."""

from __future__ import annotations

from typing import NamedTuple

from models.database.connection import db

COUNTS = """
SELECT label, sum(rules)::int, sum(known)::int FROM (
    SELECT label, count(*) AS rules, 0 AS known FROM rule WHERE removed_at IS NULL GROUP BY 1
    UNION ALL
    SELECT label, 0, count(*) FROM known_hash WHERE removed_at IS NULL GROUP BY 1) AS each
GROUP BY 1
"""


class Uses(NamedTuple):
    """The rules and known images with a label that were not removed, switched off ones too."""

    rules: int
    known: int

    @property
    def words(self) -> str:
        """``12 rules and 3 known images``; empty if there are none."""
        named = ((self.rules, "rule"), (self.known, "known image"))
        return " and ".join(f"{n:,} {noun}{'' if n == 1 else 's'}" for n, noun in named if n)


def uses() -> dict[str, Uses]:
    """The uses of each label that has some."""
    rows = db.execute_sql(COUNTS).fetchall()
    return {label: Uses(rules, known) for label, rules, known in rows}
