"""The list of files to delete, which no row refers to; it survives a crash during deletion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.database.connection import db

PASSES = 2  # the second deletes what a worker wrote that still had the picture during the first


@dataclass(frozen=True, slots=True)
class Removal:
    """A picture whose files are to be deleted; ``animated``: it may have stills too."""

    key: str
    animated: bool


# Part of a statement that deletes pictures: ``pictures`` is its CTE of the deleted rows.
OWE = (
    "INSERT INTO removal (storage_key, animated) SELECT storage_key, animated FROM pictures"
    " ON CONFLICT (storage_key) DO NOTHING"
)


def due(limit: int, keys: Sequence[str] | None = None) -> list[Removal]:
    """The removals due now, of ``keys`` if given. Call it in a transaction.

    Several processes may do it at once: each locks different rows.
    """
    named = "" if keys is None else " AND storage_key = ANY(%(keys)s)"
    rows = db.execute_sql(
        f"SELECT storage_key, animated FROM removal WHERE due_at <= now(){named}"
        " ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        {"limit": limit, "keys": list(keys or ())},
    ).fetchall()
    return [Removal(*row) for row in rows]


def done(keys: Sequence[str], again: float) -> None:
    """These files are deleted: check again after ``again`` seconds, then drop the entry."""
    db.execute_sql(
        "DELETE FROM removal WHERE storage_key = ANY(%s) AND passes + 1 >= %s",
        (list(keys), PASSES),
    )
    _later(keys, again, passes=1)


def failed(keys: Sequence[str], again: float) -> None:
    """These files could not be deleted: retry in ``again`` seconds."""
    _later(keys, again, passes=0)


def _later(keys: Sequence[str], seconds: float, *, passes: int) -> None:
    db.execute_sql(
        "UPDATE removal SET passes = passes + %s, due_at = now() + make_interval(secs => %s)"
        " WHERE storage_key = ANY(%s)",
        (passes, seconds, list(keys)),
    )
