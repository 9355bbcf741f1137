"""Known images: the hash bank, exact (SHA-256) and perceptual (PDQ), to block or to allow."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import peewee

from models.db import Model, db
from models.errors import Invalid
from models.image import Image
from models.moderator import Moderator
from models.revision import Revision, Watched
from models.verdict import LABELS, Finding

KINDS = ("sha256", "pdq")
ACTIONS = ("block", "allow")
ASKS = {"block": "reject", "allow": "allow"}


class KnownHash(Model):
    """One known image's hash of 32 bytes, of one kind."""

    id = peewee.BigAutoField()
    kind = peewee.TextField()
    hash = peewee.BlobField()
    action = peewee.TextField()
    label = peewee.TextField(default="other")
    note = peewee.TextField(default="")
    image = peewee.ForeignKeyField(Image, null=True)
    moderator = peewee.ForeignKeyField(Moderator, null=True)
    created_at = peewee.DateTimeField()

    @classmethod
    def put(
        cls,
        kind: str,
        hash: bytes,
        action: str,
        label: str = "other",
        *,
        note: str = "",
        image_id: UUID | None = None,
        moderator_id: int | None = None,
    ) -> None:
        """Make this hash known, or change what is known of it; raises Invalid."""
        if kind not in KINDS or action not in ACTIONS or len(hash) != 32 or label not in LABELS:
            raise Invalid("A known hash is sha256 or pdq, of 32 bytes, block or allow, labelled.")
        with db.atomic():
            cls.insert(
                kind=kind,
                hash=hash,
                action=action,
                label=label,
                note=note,
                image=image_id,
                moderator=moderator_id,
                created_at=peewee.fn.now(),
            ).on_conflict(
                conflict_target=[cls.kind, cls.hash], preserve=[cls.action, cls.label, cls.note]
            ).execute()
            Revision.bump("known_hashes")

    @classmethod
    def remove(cls, kind: str, hash: bytes) -> int:
        """Forget a hash; returns how many there were."""
        with db.atomic():
            gone = cls.delete().where(cls.kind == kind, cls.hash == hash).execute()
            Revision.bump("known_hashes")
        return int(gone)

    @classmethod
    def perceptual(cls) -> list[tuple[int, bytes, str, str]]:
        """(id, hash, action, label) of every known PDQ hash."""
        rows = cls.select(cls.id, cls.hash, cls.action, cls.label).where(cls.kind == "pdq")
        return [(row[0], bytes(row[1]), row[2], row[3]) for row in rows.tuples()]


def _exact() -> dict[bytes, tuple[int, str, str]]:
    columns = (KnownHash.hash, KnownHash.id, KnownHash.action, KnownHash.label)
    rows = KnownHash.select(*columns).where(KnownHash.kind == "sha256").tuples()
    return {bytes(row[0]): row[1:] for row in rows}


exact = Watched("known_hashes", _exact)


def check_exact(digests: Sequence[bytes]) -> list[Finding]:
    """What the bank knows of pictures with these SHA-256 digests, by position."""
    known = exact.get()
    return [
        Finding(
            "known_hashes",
            known[digest][2],
            ASKS[known[digest][1]],
            image=position,
            evidence={"known": known[digest][0], "kind": "sha256", "distance": 0},
        )
        for position, digest in enumerate(digests)
        if digest in known
    ]
