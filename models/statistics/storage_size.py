"""How much room submissions take: bytes of their tables and pictures, as PostgreSQL tells them."""

from __future__ import annotations

from dataclasses import dataclass

from models.database.connection import db

# Indexes and long values included. None of these tables is partitioned.
SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::float FROM unnest(%s) name"
)
# What is past its days is a stub: its pictures are gone, and most of its row.
COUNTS = """
SELECT count(*) FILTER (WHERE purged_at IS NULL), count(*) FILTER (WHERE purged_at IS NOT NULL)
FROM submission
"""
OF_A_SUBMISSION = ["submission", "submission_words", "finding", "decision", "delivery"]


@dataclass(frozen=True, slots=True)
class Volume:
    """What is stored now: counts, and bytes of the database and of the original pictures.

    ``submissions`` are those that are kept whole, ``stubs`` those whose content is gone; ``rows``
    are the bytes of both, indexes included.
    """

    submissions: int
    stubs: int
    images: int
    rows: float
    image_rows: float
    pictures: float


def measure() -> Volume:
    """The volume of this moment; counts are exact and take a while on millions of rows."""
    submissions, stubs = db.execute_sql(COUNTS).fetchone()
    images, pictures = db.execute_sql(
        "SELECT count(*), coalesce(sum(bytes), 0)::float FROM image"
    ).fetchone()
    return Volume(
        submissions,
        stubs,
        images,
        db.execute_sql(SIZE, (OF_A_SUBMISSION,)).fetchone()[0],
        db.execute_sql(SIZE, (["image"],)).fetchone()[0],
        pictures,
    )
