"""Files that no row owns any more: the list that outlives whoever dies while removing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.database.connection import db

PASSES = 2  # the second takes what a worker drew that still held the picture at the first


@dataclass(frozen=True, slots=True)
class Removal:
    """A picture whose files are to go; ``animated`` where stills may lie beside it."""

    key: str
    animated: bool


# What a transaction that deletes pictures does with their keys; ``pictures`` is that part of it.
OWE = (
    "INSERT INTO removal (storage_key, animated) SELECT storage_key, animated FROM pictures"
    " ON CONFLICT (storage_key) DO NOTHING"
)


def due(limit: int, keys: Sequence[str] | None = None) -> list[Removal]:
    """What is to be removed now, of these keys where some are named. Hold it in a transaction.

    Several processes may do so at once: each takes other rows.
    """
    named = "" if keys is None else " AND storage_key = ANY(%(keys)s)"
    rows = db.execute_sql(
        f"SELECT storage_key, animated FROM removal WHERE due_at <= now(){named}"
        " ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        {"limit": limit, "keys": list(keys or ())},
    ).fetchall()
    return [Removal(*row) for row in rows]


def done(keys: Sequence[str], again: float) -> None:
    """These files are gone: look once more ``again`` seconds later, then forget them."""
    db.execute_sql(
        "DELETE FROM removal WHERE storage_key = ANY(%s) AND passes + 1 >= %s",
        (list(keys), PASSES),
    )
    _later(keys, again, passes=1)


def failed(keys: Sequence[str], again: float) -> None:
    """These files could not be removed: try again ``again`` seconds later."""
    _later(keys, again, passes=0)


def _later(keys: Sequence[str], seconds: float, *, passes: int) -> None:
    db.execute_sql(
        "UPDATE removal SET passes = passes + %s, due_at = now() + make_interval(secs => %s)"
        " WHERE storage_key = ANY(%s)",
        (passes, seconds, list(keys)),
    )
