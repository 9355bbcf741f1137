"""Policies and their versions: what administrators change, and how it is undone.

A version is never changed. To restore one makes a new version with its document, so that the
history says what was in force at any time. ``client`` and ``surface`` name a policy: without a
client it is the server's default, without a surface a client's default.
"""

from __future__ import annotations

import re
from typing import Any

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.audit.log import Audit
from models.database.config_revision import Revision
from models.database.connection import Model, db
from models.errors import Conflict, Invalid, NotFound
from models.labels.label import Label
from models.people.moderator import Moderator
from models.policies.document import PARTS, Document, changes, check, check_order, read
from models.policies.policy_index import base_document
from models.verdict import NETWORK_LABEL

SURFACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
DEFAULT_SURFACE = "default"  # of an upload that names none
SURFACE_RULE = "1 to 40 of the characters a to z, 0 to 9, _ and -, for example avatar"
LONGEST_WHY = 300
FROM_SETTINGS = "From the settings REVIEW_AT, REJECT_AT and SAMPLE_RATE"


class PolicyRow(Model):
    """A policy: of the server (no client), of a client (no surface), or of a client's surface."""

    id = peewee.BigAutoField()
    client_id = peewee.BigIntegerField(null=True)
    surface = peewee.TextField(default="")
    adopted = BinaryJSONField(default=dict)  # the server's: the settings that were taken over last
    created_at = peewee.DateTimeField()

    class Meta:
        table_name = "policy"


class PolicyVersion(Model):
    """A version of a policy; the newest one is in force."""

    id = peewee.BigAutoField()
    policy = peewee.ForeignKeyField(PolicyRow, backref="versions")
    number = peewee.IntegerField()
    document = BinaryJSONField(default=dict)
    why = peewee.TextField(default="")
    moderator = peewee.ForeignKeyField(Moderator, null=True)
    created_at = peewee.DateTimeField()

    class Meta:
        table_name = "policy_version"

    @property
    def content(self) -> Document:
        """The document of this version."""
        return read(self.document)


def find(client_id: int | None, surface: str = "") -> PolicyRow | None:
    """The policy with this name, if it has a version of its own."""
    row: PolicyRow | None = _named(client_id, surface).first()
    return row


def current(row: PolicyRow | None) -> PolicyVersion | None:
    """The version that is in force."""
    if row is None:
        return None
    query = PolicyVersion.select().where(PolicyVersion.policy == row.id)
    version: PolicyVersion | None = query.order_by(PolicyVersion.number.desc()).first()
    return version


def version(version_id: int | None) -> PolicyRow:
    """The policy that a version with this id belongs to; raises NotFound."""
    found = PolicyVersion.get_or_none(PolicyVersion.id == version_id)
    if found is None:
        raise NotFound("There is no policy version with this id.")
    row: PolicyRow = found.policy
    return row


def versions(row: PolicyRow | None) -> list[PolicyVersion]:
    """All versions of a policy with who made them, newest first."""
    if row is None:
        return []
    query = PolicyVersion.select(PolicyVersion, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
    return list(query.where(PolicyVersion.policy == row.id).order_by(PolicyVersion.number.desc()))


def apply(
    client_id: int | None,
    surface: str,
    document: Document,
    *,
    why: str = "",
    moderator_id: int | None = None,
    seen: int | None = None,
) -> PolicyVersion:
    """Make this document the newest version of a policy; a document that is the same is not.

    ``seen`` is the number of the version that the person edited, 0 for a policy without one:
    Conflict if there is a newer one. Raises Invalid. Changes of all policies wait for each other.
    """
    check_surface(surface, client_id)
    why = why.strip()
    if len(why) > LONGEST_WHY or any(not c.isprintable() and c not in "\r\n" for c in why):
        raise Invalid(f"The reason must have at most {LONGEST_WHY} characters.", field="why")
    check(document, [row.name for row in Label.select(Label.name)])
    with db.atomic():
        _lock()
        row = find(client_id, surface)
        before = current(row)
        number = before.number if before else 0
        if seen is not None and seen != number:
            raise Conflict(_changed_by(before))
        if before is not None and before.content == document:
            return before
        check_order(document.over(_inherited(client_id, surface)))
        if row is None:
            row = PolicyRow.create(client_id=client_id, surface=surface, created_at=peewee.fn.now())
        return _append(row, number + 1, document, before, why, moderator_id)


def restore(
    row: PolicyRow, number: int, moderator_id: int | None = None, *, why: str = ""
) -> PolicyVersion:
    """Make an earlier version's document the newest version; raises NotFound."""
    old = PolicyVersion.get_or_none(PolicyVersion.policy == row.id, PolicyVersion.number == number)
    if old is None:
        raise NotFound(f"This policy has no version {number}.")
    why = why or f"Version {number} again"
    return apply(row.client_id, row.surface, old.content, why=why, moderator_id=moderator_id)


def adopt(review_at: float, reject_at: float, sample_rate: float) -> bool:
    """Take the settings over into the server's policy, if they changed since the last time.

    Returns whether there is a new version. A value that people changed in the console stays until
    its setting changes again.
    """
    given = {"review_at": review_at, "reject_at": reject_at, "sample_rate": sample_rate}
    with db.atomic():
        _lock()
        row = find(None) or PolicyRow.create(client_id=None, created_at=peewee.fn.now())
        before = current(row)
        if row.adopted == given:
            return False
        new = {name: value for name, value in given.items() if row.adopted.get(name) != value}
        content = before.content if before else Document()
        own = {part: new[part] for part in PARTS if part in new}
        network = {**content.labels.get(NETWORK_LABEL, {}), **own}
        document = Document(
            labels={**content.labels, NETWORK_LABEL: network},
            sample_rate=new.get("sample_rate", content.sample_rate),
            visibility=content.visibility or "hold",
            publish_unchecked=bool(content.publish_unchecked),
        )
        PolicyRow.update(adopted=given).where(PolicyRow.id == row.id).execute()
        number = before.number + 1 if before else 1
        if before is None or before.content != document:
            _append(row, number, document, before, FROM_SETTINGS, None)
    return True


def check_surface(surface: str, client_id: int | None = None) -> None:
    """Raises Invalid for a surface that an upload cannot have."""
    if surface and not SURFACE.fullmatch(surface):
        raise Invalid(f"surface must have {SURFACE_RULE}.", field="surface")
    if surface == DEFAULT_SURFACE:
        raise Invalid("The surface default is the client's own policy.", field="surface")
    if surface and client_id is None:
        raise Invalid("A surface belongs to a client.", field="surface")


def name_of(row: PolicyRow, clients: dict[int, str]) -> str:
    """A policy's name in the audit and the console."""
    if row.client_id is None:
        return "server"
    name = clients.get(row.client_id, f"client {row.client_id}")
    return f"{name}: {row.surface}" if row.surface else name


def _append(
    row: PolicyRow,
    number: int,
    document: Document,
    before: PolicyVersion | None,
    why: str,
    moderator_id: int | None,
) -> PolicyVersion:
    version: PolicyVersion = PolicyVersion.create(
        policy=row,
        number=number,
        document=document.as_json(),
        why=why,
        moderator=moderator_id,
        created_at=peewee.fn.now(),
    )
    subject = "server" if row.client_id is None else f"client {row.client_id}"
    Audit.append(
        "policy.apply",
        f"{subject}: {row.surface}" if row.surface else subject,
        moderator_id=moderator_id,
        version=number,
        why=why,
        changes=changes(before.content if before else Document(), document),
    )
    Revision.bump("policies")
    if row.client_id is not None and not row.surface:
        _tell_old_processes(row.client_id, document)
    return version


def _tell_old_processes(client_id: int, document: Document) -> None:
    """Write what processes of the release before read; they know thresholds of nudity alone."""
    network = dict(document.labels.get(NETWORK_LABEL, {}))
    for part in [part for part, value in network.items() if value is None]:
        network[part] = 1.0  # never, as far as they know it: null would be the server's default
    db.execute_sql(
        "UPDATE client SET review_at = %s, reject_at = %s, sample_rate = %s,"
        " visibility = coalesce(%s, 'hold'), publish_unchecked = coalesce(%s, false) WHERE id = %s",
        (
            *(network.get(part) for part in PARTS),
            document.sample_rate,
            document.visibility,
            document.publish_unchecked,
            client_id,
        ),
    )


def _inherited(client_id: int | None, surface: str) -> Document:
    """What the policy with this name inherits, as it is in the database now."""
    above = [find(None)] if client_id is not None else []
    above += [find(client_id)] if surface else []
    document = base_document()
    for version in filter(None, map(current, above)):
        document = version.content.over(document)
    return document


def _named(client_id: int | None, surface: str) -> Any:
    same = PolicyRow.client_id.is_null() if client_id is None else PolicyRow.client_id == client_id
    return PolicyRow.select().where(same, PolicyRow.surface == surface)


def _lock() -> None:
    """One change at a time: the id of the newest version names the state of all policies."""
    db.execute_sql("LOCK TABLE policy IN SHARE ROW EXCLUSIVE MODE")


def _changed_by(newest: PolicyVersion | None) -> str:
    who = newest.moderator.name if newest and newest.moderator_id else "A script"
    number = newest.number if newest else 0
    return (
        f"{who} has made version {number} of this policy since you opened it. Open the policy again"
        " to see it; what you entered is still in the form."
    )
