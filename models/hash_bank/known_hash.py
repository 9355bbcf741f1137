"""Known images: the hash bank, exact (SHA-256) and perceptual (PDQ), to block or to allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.config_revision import Revision, Watched
from models.database.connection import Model, db
from models.errors import Invalid, NotFound
from models.people.moderator import Moderator
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import LABELS, Finding

KINDS = ("sha256", "pdq")
ACTIONS = ("block", "allow")
ASKS = {"block": "reject", "allow": "allow"}
MIN_QUALITY = 50  # of a PDQ hash; below it the picture is too plain to know again
LONGEST_NOTE = 300
FACTS = ("kind", "hash", "action", "label", "note")
TOO_PLAIN = "too plain to know look-alikes by"


class KnownHash(Model):
    """One known image's hash of 32 bytes, of one kind.

    A removed entry keeps its row, so that it can come back. ``look_owed``: a worker still has to
    make the perceptual entry of this exact one, from ``picture`` or from the linked image.
    """

    id = peewee.BigAutoField()
    kind = peewee.TextField()
    hash = peewee.BlobField()
    action = peewee.TextField()
    label = peewee.TextField(default="other")
    note = peewee.TextField(default="")
    image = peewee.ForeignKeyField(Image, null=True)
    moderator = peewee.ForeignKeyField(Moderator, null=True)
    created_at = peewee.DateTimeField()
    removed_at = peewee.DateTimeField(null=True)
    picture = peewee.TextField(null=True)
    look_owed = peewee.BooleanField(default=False)
    problem = peewee.TextField(default="")

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
        **look: Any,
    ) -> int:
        """Make this hash known, or change what is known of it; returns its number.

        Raises Invalid. ``look`` is what is to be noted of its perceptual side.
        """
        check(kind, hash, action, label, note)
        with db.atomic():
            row: int = (
                cls.insert(
                    kind=kind,
                    hash=hash,
                    action=action,
                    label=label,
                    note=note,
                    image=image_id,
                    moderator=moderator_id,
                    created_at=peewee.fn.now(),
                    **look,
                )
                .on_conflict(
                    conflict_target=[cls.kind, cls.hash],
                    preserve=[cls.action, cls.label, cls.note, cls.moderator, cls.created_at]
                    + [getattr(cls, name) for name in look],
                    update={
                        cls.removed_at: None,
                        cls.image: peewee.fn.COALESCE(peewee.EXCLUDED.image_id, cls.image),
                    },
                )
                .execute()
            )
            Revision.bump("known_hashes")
        return row

    @classmethod
    def learn(
        cls, kind: str, hash: bytes, action: str, label: str, moderator_id: int | None, **more: Any
    ) -> KnownHash:
        """``put`` with its audit row: what was known before, and what is now."""
        with db.atomic():
            before = cls.get_or_none(cls.kind == kind, cls.hash == hash)
            number = cls.put(kind, hash, action, label, moderator_id=moderator_id, **more)
            row: KnownHash = cls.get_by_id(number)
            told = before.facts if before and before.removed_at is None else None
            row.tell("known_hash.put", moderator_id, before=told, after=row.facts)
        return row

    @classmethod
    def found(cls, number: int, *, lock: bool = False) -> KnownHash:
        """The entry of that number, a removed one too; raises NotFound."""
        query = cls.select().where(cls.id == number)
        row: KnownHash | None = (query.for_update() if lock else query).first()
        if row is None:
            raise NotFound(f"There is no known image {number}.")
        return row

    @classmethod
    def forget(cls, ids: Sequence[int], moderator_id: int | None) -> list[int]:
        """Remove entries; ``remember`` brings them back. Returns those that stood."""
        return cls._move(ids, moderator_id, "known_hash.remove", standing=True)

    @classmethod
    def remember(cls, ids: Sequence[int], moderator_id: int | None) -> list[int]:
        """Bring removed entries back; returns those that were removed."""
        return cls._move(ids, moderator_id, "known_hash.restore", standing=False)

    @classmethod
    def _move(
        cls, ids: Sequence[int], moderator_id: int | None, act: str, *, standing: bool
    ) -> list[int]:
        with db.atomic():
            rows = (
                cls.update(removed_at=peewee.fn.now() if standing else None)
                .where(cls.id.in_(list(ids)), cls.removed_at.is_null(standing))
                .returning(cls)
                .execute()
            )
            moved = list(rows)
            for row in moved:
                row.tell(act, moderator_id, facts=row.facts)
            Revision.bump("known_hashes")
        return [row.id for row in moved]

    def tell(self, act: str, moderator_id: int | None, **details: Any) -> None:
        """Write an act on this entry down in the audit."""
        Audit.append(act, self.subject, moderator_id=moderator_id, **details)

    @property
    def subject(self) -> str:
        """How the audit calls this entry."""
        return f"known image {self.id}"

    @property
    def facts(self) -> dict[str, Any]:
        """What the audit keeps of an entry."""
        values = {name: getattr(self, name) for name in FACTS}
        return {**values, "hash": bytes(self.hash).hex()}

    @classmethod
    def remove(cls, kind: str, hash: bytes) -> int:
        """Delete a hash for good; returns how many there were."""
        with db.atomic():
            gone = cls.delete().where(cls.kind == kind, cls.hash == hash).execute()
            Revision.bump("known_hashes")
        return int(gone)

    @classmethod
    def perceptual(cls) -> list[tuple[int, bytes, str, str]]:
        """(id, hash, action, label) of every known PDQ hash."""
        columns = (cls.id, cls.hash, cls.action, cls.label)
        rows = cls.select(*columns).where(cls.kind == "pdq", cls.removed_at.is_null())
        return [(row[0], bytes(row[1]), row[2], row[3]) for row in rows.tuples()]

    @classmethod
    def owing(cls, limit: int = 100) -> list[int]:
        """Entries whose perceptual side a worker still has to make."""
        query = cls.select(cls.id).where(cls.look_owed, cls.removed_at.is_null())
        return [row[0] for row in query.order_by(cls.id).limit(limit).tuples()]


def check(kind: str, hash: bytes, action: str, label: str, note: str = "") -> None:
    """Raises Invalid where this is no entry, with the field that is to blame."""
    known = (("kind", kind, KINDS), ("action", action, ACTIONS), ("label", label, LABELS))
    for name, value, allowed in known:
        if value not in allowed:
            raise Invalid(f"{name} is one of {', '.join(allowed)}, not {value!r}.", field=name)
    if len(hash) != 32:
        raise Invalid("A hash has 32 bytes, which are 64 hexadecimal digits.", field="hash")
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"A note has at most {LONGEST_NOTE} characters.", field="note")
    if "\0" in note or any("\ud800" <= char <= "\udfff" for char in note):
        raise Invalid("The note holds a character that cannot be stored.", field="note")


def block_images_of(
    submission: Submission, moderator: Moderator, label: str = "other", *, action: str = "block"
) -> list[KnownHash]:
    """Make a submission's pictures known, by their bytes and by their look.

    Returns the entries. One with ``look_owed`` needs a worker, who makes its perceptual entry:
    its picture was never hashed, because something else decided first.
    """
    with db.atomic():
        images = Image.of(submission.id)
        if not images:
            raise Invalid("This submission has no picture.")
        made: list[KnownHash] = []
        for image in images:
            more = {"image_id": image.id}
            plain = image.pdq is not None and (image.pdq_quality or 0) < MIN_QUALITY
            look = {
                "look_owed": image.pdq is None,
                "picture": None,
                "problem": TOO_PLAIN if plain else "",
            }
            for kind, code, owed in (
                ("sha256", image.sha256, look),
                ("pdq", None if plain else image.pdq, {}),
            ):
                if code is not None:
                    known = KnownHash.learn(
                        kind, bytes(code), action, label, moderator.id, **more, **owed
                    )
                    made.append(known)
    return made


def add_look(number: int, code: bytes | None, problem: str = "") -> KnownHash | None:
    """Store the look that a worker saw of an entry's picture, or why there is none.

    Safe when two workers do it: the entry is locked, and whoever comes second finds nothing owed.
    """
    with db.atomic():
        row = KnownHash.found(number, lock=True)
        if not row.look_owed:
            return None
        KnownHash.update(look_owed=False, picture=None, problem=problem).where(
            KnownHash.id == number
        ).execute()
        if code is None:
            return None
        more = {"image_id": row.image_id, "note": row.note}
        return KnownHash.learn("pdq", code, row.action, row.label, row.moderator_id, **more)


def _exact() -> dict[bytes, tuple[int, str, str]]:
    columns = (KnownHash.hash, KnownHash.id, KnownHash.action, KnownHash.label)
    standing = (KnownHash.kind == "sha256") & KnownHash.removed_at.is_null()
    rows = KnownHash.select(*columns).where(standing).tuples()
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
