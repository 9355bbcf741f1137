"""Moderators' workload: how much they have decided, and how much of it was graphic."""

from __future__ import annotations

from itertools import takewhile

from models.database.connection import db

GRAPHIC_LABELS = ("nudity", "sexual", "violence")
STANDING = """d.moderator_id = %(moderator)s AND d.undoes IS NULL
    AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id)"""
IS_GRAPHIC = """EXISTS (
    SELECT 1 FROM image i JOIN submission s ON s.id = i.submission_id
      JOIN client c ON c.id = s.client_id LEFT JOIN finding f ON f.image_id = i.id
    WHERE i.submission_id = d.submission_id
      AND (d.reason = ANY(%(labels)s) OR f.score >= coalesce(c.review_at, %(review_at)s)
           OR f.label = ANY(%(labels)s) AND f.action IN ('reject', 'review')))"""


def decided_today(moderator_id: int) -> int:
    """The moderator's decisions since midnight (database time) that were not undone."""
    sql = (
        f"SELECT count(*) FROM decision d WHERE {STANDING}"
        " AND d.created_at >= date_trunc('day', now())"
    )
    return int(db.execute_sql(sql, {"moderator": moderator_id}).fetchone()[0])


def graphic(moderator_id: int, review_at: float) -> tuple[int, int]:
    """The moderator's decisions on graphic pictures: (in the last hour, the latest in a row).

    A picture is graphic if it scores at or above the client's review threshold, or if a check or
    the moderator labelled it nudity, sexual or violence.
    """
    sql = (
        f"SELECT {IS_GRAPHIC} FROM decision d WHERE {STANDING}"
        " AND d.created_at > now() - interval '1 hour' ORDER BY d.id DESC"
    )
    values = {"moderator": moderator_id, "review_at": review_at, "labels": list(GRAPHIC_LABELS)}
    seen = [row[0] for row in db.execute_sql(sql, values).fetchall()]
    return sum(seen), sum(1 for _ in takewhile(bool, seen))
