"""Lists of known images, and of recent images that resemble one."""

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
from models.submissions.image import MIN_PDQ_QUALITY

STATES = ("known", "removed")
RECENT = 100_000  # newest images that are searched for near matches

# Only pictures with a thumbnail can be shown; the distance is returned for all.
NEAR = f"""
WITH recent AS MATERIALIZED (
    SELECT id, submission_id, pdq FROM image
    WHERE pdq IS NOT NULL AND pdq_quality >= {MIN_PDQ_QUALITY}
    ORDER BY id DESC LIMIT %(recent)s)
, near AS (
    SELECT id, submission_id,
        bit_count(('x' || encode(pdq, 'hex'))::bit(256) # %(code)s::bit(256)) AS distance
    FROM recent)
SELECT near.id, near.submission_id, near.distance, image.thumbnail, submission.title,
    submission.user_id, submission.verdict, submission.created_at, image.stills
FROM near JOIN image ON image.id = near.id JOIN submission ON submission.id = near.submission_id
WHERE near.distance <= %(most)s
ORDER BY near.distance, near.id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class KnownHashFilter:
    """Which entries to select; empty selects all that are not removed."""

    text: str = ""
    kind: str = ""
    action: str = ""
    label: str = ""
    state: str = ""

    def query(self) -> Any:
        """The entries, newest first."""
        query = KnownHash.select(KnownHash, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
        for column in ("kind", "action", "label"):
            if value := getattr(self, column):
                query = query.where(getattr(KnownHash, column) == value)
        if self.text:
            by_hash = peewee.fn.ENCODE(KnownHash.hash, "hex").startswith(self.text.lower())
            query = query.where(KnownHash.note.contains(self.text) | by_hash)
        query = query.where(KnownHash.removed_at.is_null(self.state != "removed"))
        return query.order_by(KnownHash.id.desc())


def page(where: KnownHashFilter, limit: int, after: int | None = None) -> list[KnownHash]:
    """Entries after the id ``after`` (keyset paging)."""
    query = where.query().limit(limit)
    return list(query.where(KnownHash.id < after) if after else query)


def count(where: KnownHashFilter) -> int:
    """The number of matching entries."""
    return int(where.query().order_by().count())


@dataclass(frozen=True, slots=True)
class Near:
    """A recent image similar to a known one, and its distance in bits of 256."""

    image_id: UUID
    submission_id: UUID
    distance: int
    thumbnail: bool
    title: str
    user_id: str
    verdict: str | None
    created_at: datetime
    stills: list[list[float]]  # as in ``Image``


def near(code: bytes, most: int, *, limit: int = 40) -> list[Near]:
    """Recent images at most ``most`` bits away, nearest first."""
    bits = "".join(f"{byte:08b}" for byte in code)
    values = {"code": bits, "most": most, "recent": RECENT, "limit": limit}
    return [Near(*row) for row in db.execute_sql(NEAR, values).fetchall()]


def twins(digest: bytes, limit: int = 40) -> list[Near]:
    """Images with the same bytes, newest first."""
    rows = db.execute_sql(
        "SELECT image.id, submission_id, 0, thumbnail, title, user_id, verdict, created_at, stills"
        " FROM image JOIN submission ON submission.id = submission_id"
        " WHERE sha256 = %s ORDER BY image.id DESC LIMIT %s",
        (digest, limit),
    ).fetchall()
    return [Near(*row) for row in rows]


def partners(row: KnownHash) -> list[KnownHash]:
    """Other entries of the same picture."""
    if row.image_id is None:
        return []
    same = (KnownHash.image == row.image_id) & (KnownHash.id != row.id)
    return list(KnownHash.select().where(same, KnownHash.removed_at.is_null()))


def history(row: KnownHash) -> list[Any]:
    """Audit rows about the entry, newest first."""
    query = Audit.select(Audit, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
    return list(query.where(Audit.subject == row.subject).order_by(Audit.id.desc()).limit(30))
