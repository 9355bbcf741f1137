"""The audit log: what people did. Append-only; each row is linked to the previous one.

Database triggers refuse changes and compute the links (see migrations 0004 and 0010);
``hash_chain.py`` verifies them.
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

SCRIPT = ":script"  # the value of ``who`` for scripts
STEP = 1000  # rows that an export reads at once


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows to select; empty selects all. Days are in UTC, both included."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None


class Audit(Model):
    """One action of a person, or of a script if there is no moderator."""

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
        """Record an action, in the same transaction as its effect."""
        cls.append_many(action, [(subject, details)], moderator_id=moderator_id)

    @classmethod
    def append_many(
        cls,
        action: str,
        actions: Iterable[tuple[str, Mapping[str, Any]]],
        *,
        moderator_id: int | None = None,
    ) -> None:
        """Record one action on many subjects, each a (subject, details) pair."""
        one = {"at": peewee.fn.now(), "moderator": moderator_id, "action": action}
        rows = [{**one, "subject": subject, "details": details} for subject, details in actions]
        if rows:
            cls.insert_many(rows).execute()

    @classmethod
    def page(cls, where: AuditFilter, limit: int, before: int | None = None) -> list[Audit]:
        """The newest rows that match; with ``before``, only those with a smaller id."""
        query = cls.select(cls, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
        query = query.where(*_conditions(where))
        if before is not None:
            query = query.where(cls.id < before)
        return list(query.order_by(cls.id.desc()).limit(limit))

    @classmethod
    def stream(cls, where: AuditFilter) -> Iterator[Audit]:
        """Every matching row, newest first, read in batches."""
        before = None
        while rows := cls.page(where, STEP, before):
            yield from rows
            before = rows[-1].id

    @classmethod
    def actions(cls) -> list[str]:
        """Every action name in the log, found by skipping from one to the next in the index."""
        rows = db.execute_sql(
            "WITH RECURSIVE walk AS (SELECT min(action) AS action FROM audit UNION ALL"
            " SELECT (SELECT min(action) FROM audit WHERE action > walk.action) FROM walk"
            " WHERE walk.action IS NOT NULL) SELECT action FROM walk WHERE action IS NOT NULL"
        ).fetchall()
        return [row[0] for row in rows]


def _conditions(where: AuditFilter) -> Iterator[Any]:
    yield peewee.SQL("true")
    if where.who == SCRIPT:
        yield Audit.moderator.is_null()
    elif where.who:
        yield Moderator.name == where.who
    if where.action:
        yield Audit.action == where.action
    if where.subject:
        yield Audit.subject == where.subject
    if where.since:
        yield Audit.at >= where.since
    if where.until:
        yield Audit.at < where.until + timedelta(days=1)
