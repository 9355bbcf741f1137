"""The audit: what people did, append-only, each row linked to the one before.

Triggers of the database refuse changes and make the links (see migrations 0004 and 0010);
``audit_chain`` follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.database.connection import Model, db
from models.people.moderator import Moderator

SCRIPT = ":script"  # who, where it was no person
STEP = 1000  # rows that the export holds at once


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
        cls.append_many(action, [(subject, details)], moderator_id=moderator_id)

    @classmethod
    def append_many(
        cls,
        action: str,
        acts: Iterable[tuple[str, Mapping[str, Any]]],
        *,
        moderator_id: int | None = None,
    ) -> None:
        """Write down the same act on many: (subject, details) of each."""
        one = {"at": peewee.fn.now(), "moderator": moderator_id, "action": action}
        rows = [{**one, "subject": subject, "details": details} for subject, details in acts]
        if rows:
            cls.insert_many(rows).execute()

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
