"""Known images: the hash bank, exact (SHA-256) and perceptual (PDQ), to block or to allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.config_revision import Revision, RevisionCache
from models.database.connection import Model, db
from models.errors import Invalid, NotFound
from models.labels.label_index import NO_LABEL, check_label
from models.people.moderator import Moderator
from models.submissions.image import MIN_PDQ_QUALITY, Image
from models.submissions.submission import Submission
from models.verdict import Finding

KINDS = ("sha256", "pdq")
ACTIONS = ("block", "allow")
ASKS = {"block": "reject", "allow": "allow"}
LONGEST_NOTE = 300
FACTS = ("kind", "hash", "action", "label", "note")
TOO_PLAIN = "too little detail to recognise similar images"


class KnownHash(Model):
    """A known image's hash: 32 bytes, of one kind.

    A removed entry keeps its row, so it can be restored. ``look_owed``: a worker has still to
    compute the perceptual hash for this exact one, from ``picture`` or the linked image.
    """

    id = peewee.BigAutoField()
    kind = peewee.TextField()
    hash = peewee.BlobField()
    action = peewee.TextField()
    label = peewee.TextField(default=NO_LABEL)
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
        label: str = NO_LABEL,
        *,
        note: str = "",
        image_id: UUID | None = None,
        moderator_id: int | None = None,
        **look: Any,
    ) -> int:
        """Add or change the entry of this hash; returns its id.

        Raises Invalid. ``look`` are values for columns about its perceptual hash.
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
    def put_and_audit(
        cls, kind: str, hash: bytes, action: str, label: str, moderator_id: int | None, **more: Any
    ) -> KnownHash:
        """``put`` with an audit row of the entry before and after."""
        with db.atomic():
            before = cls.get_or_none(cls.kind == kind, cls.hash == hash)
            number = cls.put(kind, hash, action, label, moderator_id=moderator_id, **more)
            row: KnownHash = cls.get_by_id(number)
            old = before.facts if before and before.removed_at is None else None
            row.audit("known_hash.put", moderator_id, before=old, after=row.facts)
        return row

    @classmethod
    def find(cls, number: int, *, lock: bool = False) -> KnownHash:
        """The entry with this id, even if removed; raises NotFound."""
        query = cls.select().where(cls.id == number)
        row: KnownHash | None = (query.for_update() if lock else query).first()
        if row is None:
            raise NotFound(f"There is no known image {number}.")
        return row

    @classmethod
    def remove(cls, ids: Sequence[int], moderator_id: int | None) -> list[int]:
        """Remove entries; ``restore`` reverses it. Returns the ids that were not removed before."""
        return cls._set_removed(ids, moderator_id, "known_hash.remove", removed=True)

    @classmethod
    def restore(cls, ids: Sequence[int], moderator_id: int | None) -> list[int]:
        """Restore removed entries; returns the ids that were removed before."""
        return cls._set_removed(ids, moderator_id, "known_hash.restore", removed=False)

    @classmethod
    def _set_removed(
        cls, ids: Sequence[int], moderator_id: int | None, action: str, *, removed: bool
    ) -> list[int]:
        with db.atomic():
            rows = (
                cls.update(removed_at=peewee.fn.now() if removed else None)
                .where(cls.id.in_(list(ids)), cls.removed_at.is_null(removed))
                .returning(cls)
                .execute()
            )
            changed = list(rows)
            for row in changed:
                row.audit(action, moderator_id, facts=row.facts)
            Revision.bump("known_hashes")
        return [row.id for row in changed]

    def audit(self, action: str, moderator_id: int | None, **details: Any) -> None:
        """Record an action on this entry in the audit."""
        Audit.append(action, self.subject, moderator_id=moderator_id, **details)

    @property
    def subject(self) -> str:
        """This entry's name in the audit."""
        return f"known image {self.id}"

    @property
    def facts(self) -> dict[str, Any]:
        """The values of an entry that the audit records."""
        values = {name: getattr(self, name) for name in FACTS}
        return {**values, "hash": bytes(self.hash).hex()}

    @classmethod
    def perceptual(cls) -> list[tuple[int, bytes, str, str]]:
        """(id, hash, action, label) of every PDQ hash that is not removed."""
        columns = (cls.id, cls.hash, cls.action, cls.label)
        rows = cls.select(*columns).where(cls.kind == "pdq", cls.removed_at.is_null())
        return [(row[0], bytes(row[1]), row[2], row[3]) for row in rows.tuples()]

    @classmethod
    def owing(cls, limit: int = 100) -> list[int]:
        """Entries whose perceptual hash a worker has still to compute."""
        query = cls.select(cls.id).where(cls.look_owed, cls.removed_at.is_null())
        return [row[0] for row in query.order_by(cls.id).limit(limit).tuples()]


def check(kind: str, hash: bytes, action: str, label: str, note: str = "") -> None:
    """Raises Invalid naming the field if the values are not valid."""
    for name, value, allowed in (("kind", kind, KINDS), ("action", action, ACTIONS)):
        if value not in allowed:
            raise Invalid(f"{name} must be one of {', '.join(allowed)}, not {value!r}.", field=name)
    check_label(label)
    if len(hash) != 32:
        raise Invalid("A hash must have 32 bytes (64 hexadecimal digits).", field="hash")
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"A note must have at most {LONGEST_NOTE} characters.", field="note")
    if "\0" in note or any("\ud800" <= char <= "\udfff" for char in note):
        raise Invalid("The note contains a character that cannot be stored.", field="note")


def block_images_of(
    submission: Submission,
    moderator: Moderator,
    label: str = NO_LABEL,
    *,
    action: str = "block",
    images: Sequence[Image] | None = None,
) -> list[KnownHash]:
    """Add a submission's pictures, by SHA-256 and by perceptual hash; returns the entries.

    ``images`` are those to add, by default all.

    The perceptual hash is that of the view that was scored worst, of an animation the worst frame.
    For an entry with ``look_owed`` a worker must compute it: another check decided before the
    picture was hashed, or an earlier release hashed its first frame.
    """
    with db.atomic():
        images = Image.of(submission.id) if images is None else images
        if not images:
            raise Invalid("This submission has no pictures.")
        entries: list[KnownHash] = []
        for image in images:
            more = {"image_id": image.id}
            plain = image.is_hashed and (image.pdq_quality or 0) < MIN_PDQ_QUALITY
            look = {
                "look_owed": not image.is_hashed,
                "picture": None,
                "problem": TOO_PLAIN if plain else "",
            }
            for kind, code, owed in (
                ("sha256", image.sha256, look),
                ("pdq", image.pdq if image.is_hashed and not plain else None, {}),
            ):
                if code is not None:
                    entry = KnownHash.put_and_audit(
                        kind, bytes(code), action, label, moderator.id, **more, **owed
                    )
                    entries.append(entry)
    return entries


def add_perceptual(number: int, code: bytes | None, problem: str = "") -> KnownHash | None:
    """Store the perceptual hash that a worker computed, or the reason why there is none.

    Safe if two workers do it: the entry is locked, and the second finds ``look_owed`` cleared. An
    entry that was removed since, by the undo of its block, gets none; it is owed if it is restored.
    """
    with db.atomic():
        row = KnownHash.find(number, lock=True)
        if not row.look_owed or row.removed_at is not None:
            return None
        KnownHash.update(look_owed=False, picture=None, problem=problem).where(
            KnownHash.id == number
        ).execute()
        if code is None:
            return None
        more = {"image_id": row.image_id, "note": row.note}
        return KnownHash.put_and_audit("pdq", code, row.action, row.label, row.moderator_id, **more)


def _exact() -> dict[bytes, tuple[int, str, str]]:
    columns = (KnownHash.hash, KnownHash.id, KnownHash.action, KnownHash.label)
    active = (KnownHash.kind == "sha256") & KnownHash.removed_at.is_null()
    rows = KnownHash.select(*columns).where(active).tuples()
    return {bytes(row[0]): row[1:] for row in rows}


exact = RevisionCache("known_hashes", _exact)


def check_exact(digests: Sequence[bytes]) -> list[Finding]:
    """Findings for pictures whose SHA-256 digests are in the bank, by position."""
    bank = exact.get()
    return [
        Finding(
            "known_hashes",
            bank[digest][2],
            ASKS[bank[digest][1]],
            image=position,
            evidence={"known": bank[digest][0], "kind": "sha256", "distance": 0},
        )
        for position, digest in enumerate(digests)
        if digest in bank
    ]
