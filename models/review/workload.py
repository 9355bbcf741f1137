"""Moderators' workload: how much they have decided, and how much of it was graphic.

A picture is graphic where a check scores it at the client's threshold of review or above, or where
a check asks for a rejection or a review and gives it a label that is graphic. ``is_graphic``
says so of findings that were read; ``GRAPHIC_FINDING`` is the same as SQL, for counting decisions.
A test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import takewhile

from models.database.connection import db
from models.labels.label_index import labels
from models.verdict import Finding

ASKING = ("reject", "review")
# Of a finding f of a picture and the client c.
GRAPHIC_FINDING = """(f.image_id IS NOT NULL
    AND (f.score >= coalesce(c.review_at, %(review_at)s)::real
         OR f.label = ANY(%(labels)s) AND f.action = ANY(%(asking)s)))"""
STANDING = """d.moderator_id = %(moderator)s AND d.undoes IS NULL
    AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id)"""
IS_GRAPHIC = f"""EXISTS (
    SELECT 1 FROM image i JOIN submission s ON s.id = i.submission_id
      JOIN client c ON c.id = s.client_id LEFT JOIN finding f ON f.image_id = i.id
    WHERE i.submission_id = d.submission_id
      AND (d.reason = ANY(%(labels)s) OR {GRAPHIC_FINDING}))"""


def graphic_values() -> dict[str, list[str]]:
    """The values that ``GRAPHIC_FINDING`` and ``IS_GRAPHIC`` need, except for the threshold."""
    return {"labels": list(labels.get().graphic), "asking": list(ASKING)}


def is_graphic(
    findings: Iterable[Finding], review_at: float, graphic_labels: Collection[str]
) -> bool:
    """Whether one of the findings says that its picture is graphic."""
    return any(
        (found.score is not None and found.score >= review_at)
        or (found.label in graphic_labels and found.action in ASKING)
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


def graphic(moderator_id: int, review_at: float) -> tuple[int, int]:
    """The moderator's decisions on graphic pictures: (in the last hour, the latest in a row).

    A submission with pictures that the moderator gave a graphic label counts too.
    """
    sql = (
        f"SELECT {IS_GRAPHIC} FROM decision d WHERE {STANDING}"
        " AND d.created_at > now() - interval '1 hour' ORDER BY d.id DESC"
    )
    values = {"moderator": moderator_id, "review_at": review_at, **graphic_values()}
    seen = [row[0] for row in db.execute_sql(sql, values).fetchall()]
    return sum(seen), sum(1 for _ in takewhile(bool, seen))
