"""The list of known images, what they hit, and which recent images look like one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.connection import db
from models.hash_bank.known_hash import KnownHash
from models.people.moderator import Moderator

STATES = ("known", "removed")
RECENT = 100_000  # images that near matches are looked for among

# Only pictures with a thumbnail can be shown; a distance is told of all.
NEAR = """
WITH recent AS MATERIALIZED (
    SELECT id, submission_id, pdq FROM image
    WHERE pdq IS NOT NULL AND pdq_quality >= %(quality)s
    ORDER BY id DESC LIMIT %(recent)s)
, near AS (
    SELECT id, submission_id,
        bit_count(('x' || encode(pdq, 'hex'))::bit(256) # %(code)s::bit(256)) AS distance
    FROM recent)
SELECT near.id, near.submission_id, near.distance, image.thumbnail, submission.title,
    submission.user_id, submission.verdict, submission.created_at
FROM near JOIN image ON image.id = near.id JOIN submission ON submission.id = near.submission_id
WHERE near.distance <= %(most)s
ORDER BY near.distance, near.id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; all that stand where nothing is said."""

    text: str = ""
    kind: str = ""
    action: str = ""
    label: str = ""
    state: str = ""

    def query(self) -> Any:
        """The entries, the newest first."""
        query = KnownHash.select(KnownHash, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
        for column in ("kind", "action", "label"):
            if wanted := getattr(self, column):
                query = query.where(getattr(KnownHash, column) == wanted)
        if self.text:
            by_hash = peewee.fn.ENCODE(KnownHash.hash, "hex").startswith(self.text.lower())
            query = query.where(KnownHash.note.contains(self.text) | by_hash)
        query = query.where(KnownHash.removed_at.is_null(self.state != "removed"))
        return query.order_by(KnownHash.id.desc())


def page(wanted: Filter, limit: int, after: int | None = None) -> list[KnownHash]:
    """Entries after the one named (keyset)."""
    query = wanted.query().limit(limit)
    return list(query.where(KnownHash.id < after) if after else query)


def count(wanted: Filter) -> int:
    """How many entries are wanted."""
    return int(wanted.query().order_by().count())


@dataclass(frozen=True, slots=True)
class Near:
    """A recent image that looks like a known one, and its distance in bits of 256."""

    image_id: UUID
    submission_id: UUID
    distance: int
    thumbnail: bool
    title: str
    user_id: str
    verdict: str | None
    created_at: datetime


def near(code: bytes, most: int, *, quality: int, limit: int = 40) -> list[Near]:
    """Recent images up to ``most`` bits away, the nearest first."""
    bits = "".join(f"{byte:08b}" for byte in code)
    values = {"code": bits, "most": most, "quality": quality, "recent": RECENT, "limit": limit}
    return [Near(*row) for row in db.execute_sql(NEAR, values).fetchall()]


def twins(digest: bytes, limit: int = 40) -> list[Near]:
    """Images with these very bytes, the latest first."""
    rows = db.execute_sql(
        "SELECT image.id, submission_id, 0, thumbnail, title, user_id, verdict, created_at"
        " FROM image JOIN submission ON submission.id = submission_id"
        " WHERE sha256 = %s ORDER BY image.id DESC LIMIT %s",
        (digest, limit),
    ).fetchall()
    return [Near(*row) for row in rows]


def partners(row: KnownHash) -> list[KnownHash]:
    """The entries of the same picture, of another kind."""
    if row.image_id is None:
        return []
    same = (KnownHash.image == row.image_id) & (KnownHash.id != row.id)
    return list(KnownHash.select().where(same, KnownHash.removed_at.is_null()))


def history(row: KnownHash) -> list[Any]:
    """What people did with the entry, the latest first."""
    query = Audit.select(Audit, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
    return list(query.where(Audit.subject == row.subject).order_by(Audit.id.desc()).limit(30))
