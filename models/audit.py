"""The audit: what people did, append-only, each row linked to the one before.

Triggers of the database refuse changes and make the links (see migration 0004).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.db import Model, db, one
from models.moderator import Moderator

SCRIPT = ":script"  # who, where it was no person
STEP = 1000  # rows that the export holds at once
START = "SELECT sha256('sluice')"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; empty is all. Days are whole ones in UTC, both included."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None


class Audit(Model):
    """One act of a person (no moderator: of a script)."""

    id = peewee.BigAutoField()
    at = peewee.DateTimeField()
    moderator = peewee.ForeignKeyField(Moderator, null=True)
    action = peewee.TextField()
    subject = peewee.TextField(default="")
    details = BinaryJSONField(default=dict)

    @classmethod
    def append(
        cls, action: str, subject: str = "", *, moderator_id: int | None = None, **details: Any
    ) -> None:
        """Write down an act, in the transaction of what it did."""
        cls.insert(
            at=peewee.fn.now(),
            moderator=moderator_id,
            action=action,
            subject=subject,
            details=details,
        ).execute()

    @classmethod
    def page(cls, wanted: Filter, limit: int, before: int | None = None) -> list[Audit]:
        """The newest rows of the filter, of those with a smaller number where one is given."""
        query = cls.select(cls, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
        query = query.where(*_conditions(wanted))
        if before is not None:
            query = query.where(cls.id < before)
        return list(query.order_by(cls.id.desc()).limit(limit))

    @classmethod
    def stream(cls, wanted: Filter) -> Iterator[Audit]:
        """Every row of the filter, newest first, read in steps."""
        before = None
        while rows := cls.page(wanted, STEP, before):
            yield from rows
            before = rows[-1].id

    @classmethod
    def actions(cls) -> list[str]:
        """Every kind of act that was written down, by a walk from one to the next in the index."""
        rows = db.execute_sql(
            "WITH RECURSIVE walk AS (SELECT min(action) AS action FROM audit UNION ALL"
            " SELECT (SELECT min(action) FROM audit WHERE action > walk.action) FROM walk"
            " WHERE walk.action IS NOT NULL) SELECT action FROM walk WHERE action IS NOT NULL"
        ).fetchall()
        return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class Check:
    """What a look at the chain found: how many rows, its last digest, the first broken number."""

    rows: int
    head: str
    broken: int | None = None


def check() -> Check:
    """Follow the chain from its start.

    A row that was changed, taken out, put in or moved breaks it at its number. Whoever may write
    to every table can make a new chain; that shows in a head that was noted elsewhere.
    """
    with db.atomic():
        db.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        row = one(
            "WITH linked AS (SELECT c.place, c.audit_id, c.digest, a.id IS NOT NULL AND"
            f" c.digest = audit_digest(coalesce(lag(c.digest) OVER places, ({START})), a)"
            " AND c.place = row_number() OVER places AS sound"
            " FROM audit_chain c LEFT JOIN audit a ON a.id = c.audit_id"
            " WINDOW places AS (ORDER BY c.place))"
            " SELECT count(*), (SELECT encode(digest, 'hex') FROM audit_head),"
            " least(min(audit_id) FILTER (WHERE sound IS NOT TRUE),"
            " (SELECT min(id) FROM audit WHERE NOT EXISTS"
            " (SELECT FROM audit_chain WHERE audit_id = audit.id))),"
            f" coalesce((SELECT digest FROM linked ORDER BY place DESC LIMIT 1), ({START}))"
            " = (SELECT digest FROM audit_head),"
            " coalesce(max(audit_id), 0) FROM linked"
        )
    assert row is not None
    count, head, broken, ends_well, last = row
    return Check(count, head, broken if broken is not None or ends_well else last)


def _conditions(wanted: Filter) -> Iterator[Any]:
    yield peewee.SQL("true")
    if wanted.who == SCRIPT:
        yield Audit.moderator.is_null()
    elif wanted.who:
        yield Moderator.name == wanted.who
    if wanted.action:
        yield Audit.action == wanted.action
    if wanted.subject:
        yield Audit.subject == wanted.subject
    if wanted.since:
        yield Audit.at >= wanted.since
    if wanted.until:
        yield Audit.at < wanted.until + timedelta(days=1)
