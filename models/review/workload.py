"""Pace: how much a moderator has decided, and how much of it was hard to look at."""

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
    """How many decisions of the moderator since midnight, by the database's clock, still hold."""
    sql = (
        f"SELECT count(*) FROM decision d WHERE {STANDING}"
        " AND d.created_at >= date_trunc('day', now())"
    )
    return int(db.execute_sql(sql, {"moderator": moderator_id}).fetchone()[0])


def graphic(moderator_id: int, review_at: float) -> tuple[int, int]:
    """(in the last hour, in a row up to now): decisions on hard pictures of the moderator.

    Hard is a picture that scores at the client's threshold of review or above, or that a check or
    the moderator called nudity, sexual or violence.
    """
    sql = (
        f"SELECT {IS_GRAPHIC} FROM decision d WHERE {STANDING}"
        " AND d.created_at > now() - interval '1 hour' ORDER BY d.id DESC"
    )
    values = {"moderator": moderator_id, "review_at": review_at, "labels": list(GRAPHIC_LABELS)}
    seen = [row[0] for row in db.execute_sql(sql, values).fetchall()]
    return sum(seen), sum(1 for _ in takewhile(bool, seen))
