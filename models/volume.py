"""How much room submissions take: bytes of their tables and pictures, as PostgreSQL tells them."""

from __future__ import annotations

from dataclasses import dataclass

from models.db import db

# Partitions count for their table, indexes and long values included.
SIZE = """
SELECT coalesce(sum(pg_total_relation_size(part.relid)), 0)::float
FROM unnest(%s::text[]) AS name
CROSS JOIN LATERAL pg_partition_tree(to_regclass(name)) AS part
"""
OF_A_SUBMISSION = ["submission", "submission_words", "finding", "decision", "delivery"]


@dataclass(frozen=True, slots=True)
class Volume:
    """What is stored now: counts, and bytes of the database and of the original pictures."""

    submissions: int
    images: int
    rows: float
    image_rows: float
    pictures: float


def measure() -> Volume:
    """The volume of this moment; counts are exact and take a while on millions of rows."""
    submissions = db.execute_sql("SELECT count(*) FROM submission").fetchone()[0]
    images, pictures = db.execute_sql(
        "SELECT count(*), coalesce(sum(bytes), 0)::float FROM image"
    ).fetchone()
    return Volume(
        submissions,
        images,
        db.execute_sql(SIZE, (OF_A_SUBMISSION,)).fetchone()[0],
        db.execute_sql(SIZE, (["image"],)).fetchone()[0],
        pictures,
    )
