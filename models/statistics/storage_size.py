"""The storage used by submissions: bytes of tables, from PostgreSQL, and of pictures."""

from __future__ import annotations

from dataclasses import dataclass

from models.database.connection import db

# Includes indexes and TOAST tables. None of these tables is partitioned.
SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::float FROM unnest(%s) name"
)
# After the retention time only a stub is left, without pictures and most of the row.
COUNTS = """
SELECT count(*) FILTER (WHERE purged_at IS NULL), count(*) FILTER (WHERE purged_at IS NOT NULL)
FROM submission
"""
OF_A_SUBMISSION = ["submission", "submission_words", "finding", "decision", "delivery"]


@dataclass(frozen=True, slots=True)
class Volume:
    """The stored volume: counts, and bytes of the database and of original pictures.

    ``submissions`` have their content, ``stubs`` are purged; ``rows`` are the bytes of both,
    including indexes.
    """

    submissions: int
    stubs: int
    images: int
    rows: float
    image_rows: float
    pictures: float


def measure() -> Volume:
    """The current volume; counts are exact and slow with millions of rows."""
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
