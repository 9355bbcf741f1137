"""Moderators' workload: how much they have decided, and how much of it was graphic.

A picture is graphic where a check asks for a rejection or a review and gives it a label that is
graphic. ``is_graphic`` says so of findings that were read; ``GRAPHIC_FINDING`` is the same as SQL,
for counting decisions. A test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import takewhile

from models.database.connection import db
from models.labels.label_index import labels
from models.verdict import Finding

ASKING = ("reject", "review")
# Of a finding f.
GRAPHIC_FINDING = """(f.image_id IS NOT NULL
    AND f.label = ANY(%(labels)s) AND f.action = ANY(%(asking)s))"""
STANDING = """d.moderator_id = %(moderator)s AND d.undoes IS NULL
    AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id)"""
# Findings are found by their submission: they have no index by image.
IS_GRAPHIC = f"""EXISTS (
    SELECT 1 FROM image i
      LEFT JOIN finding f ON f.submission_id = i.submission_id AND f.image_id = i.id
    WHERE i.submission_id = d.submission_id
      AND (d.reason = ANY(%(labels)s) OR {GRAPHIC_FINDING}))"""


def graphic_values() -> dict[str, list[str]]:
    """The values that ``GRAPHIC_FINDING`` and ``IS_GRAPHIC`` need."""
    return {"labels": list(labels.get().graphic), "asking": list(ASKING)}


def is_graphic(findings: Iterable[Finding], graphic_labels: Collection[str]) -> bool:
    """Whether one of the findings says that its picture is graphic."""
    return any(
        found.label in graphic_labels and found.action in ASKING
        for found in findings
        if found.image is not None
    )


def decided_today(moderator_id: int) -> int:
    """The moderator's decisions since midnight (database time) that were not undone."""
    sql = (
        f"SELECT count(*) FROM decision d WHERE {STANDING}"
        " AND d.created_at >= date_trunc('day', now())"
    )
    return int(db.execute_sql(sql, {"moderator": moderator_id}).fetchone()[0])


def graphic(moderator_id: int) -> tuple[int, int]:
    """The moderator's decisions on graphic pictures: (in the last hour, the latest in a row).

    A submission with pictures that the moderator gave a graphic label counts too.
    """
    sql = (
        f"SELECT {IS_GRAPHIC} FROM decision d WHERE {STANDING}"
        " AND d.created_at > now() - interval '1 hour' ORDER BY d.id DESC"
    )
    values = {"moderator": moderator_id, **graphic_values()}
    seen = [row[0] for row in db.execute_sql(sql, values).fetchall()]
    return sum(seen), sum(1 for _ in takewhile(bool, seen))
