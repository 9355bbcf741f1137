"""Authors: the clients' users who have a strike, a suspension or a premium mark."""

from __future__ import annotations

from typing import Any

import peewee

from models.audit.log import Audit
from models.clients.client import Client
from models.database.config_revision import Revision, RevisionCache
from models.database.connection import Model, db
from models.errors import Conflict, Forbidden
from models.people.moderator import Moderator

MAX_COUNTED = 1000  # newest uploads that a record counts


class Author(Model):
    """A client's user; a row exists after the first strike, suspension or premium mark."""

    id = peewee.BigAutoField()
    client = peewee.ForeignKeyField(Client, backref="authors")
    user_id = peewee.TextField()
    strikes = peewee.IntegerField(default=0)
    suspended_at = peewee.DateTimeField(null=True)
    premium_at = peewee.DateTimeField(null=True)
    created_at = peewee.DateTimeField()

    @classmethod
    def suspend(cls, client_id: int, user_id: str, moderator: Moderator, reason: str = "") -> None:
        """Reject this author's uploads; raises Conflict if already suspended."""
        moderator.require_decider()
        _mark(client_id, user_id, "suspended_at", True, moderator, reason=reason.strip()[:500])

    @classmethod
    def unsuspend(cls, client_id: int, user_id: str, moderator: Moderator) -> None:
        """Accept this author's uploads again."""
        moderator.require_decider()
        _mark(client_id, user_id, "suspended_at", False, moderator)

    @classmethod
    def make_premium(cls, client_id: int, user_id: str, moderator: Moderator) -> None:
        """Put this author's uploads into the priority queue."""
        moderator.require_administrator()
        _mark(client_id, user_id, "premium_at", True, moderator)

    @classmethod
    def end_premium(cls, client_id: int, user_id: str, moderator: Moderator) -> None:
        """Put this author's uploads into the queue that the client asks for."""
        moderator.require_administrator()
        _mark(client_id, user_id, "premium_at", False, moderator)


ACTS = {
    ("suspended_at", True): ("author.suspend", "already suspended"),
    ("suspended_at", False): ("author.unsuspend", "not suspended"),
    ("premium_at", True): ("author.premium", "already premium"),
    ("premium_at", False): ("author.end_premium", "not premium"),
}


def subject(client_id: int, user_id: str) -> str:
    """An author's name in the audit."""
    return f"author {client_id}/{user_id}"


def _mark(
    client_id: int, user_id: str, column: str, on: bool, moderator: Moderator, **details: Any
) -> None:
    """Set or clear a mark; the row lock lets only the first of two concurrent changes succeed."""
    action, state = ACTS[column, on]
    with db.atomic():
        db.execute_sql(
            "INSERT INTO author (client_id, user_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (client_id, user_id),
        )
        mark = getattr(Author, column)
        changed = (
            Author.update({mark: peewee.fn.now() if on else None})
            .where(Author.client == client_id, Author.user_id == user_id, mark.is_null(on))
            .execute()
        )
        if not changed:
            raise Conflict(f"This author is {state}.")
        Revision.bump("authors")
        Audit.append(action, subject(client_id, user_id), moderator_id=moderator.id, **details)


def _read_marks() -> tuple[frozenset[Any], frozenset[Any]]:
    rows = db.execute_sql(
        "SELECT client_id, user_id, suspended_at IS NOT NULL, premium_at IS NOT NULL FROM author"
        " WHERE suspended_at IS NOT NULL OR premium_at IS NOT NULL"
    ).fetchall()
    suspended = frozenset(row[:2] for row in rows if row[2])
    return suspended, frozenset(row[:2] for row in rows if row[3])


_marks = RevisionCache("authors", _read_marks)


def is_premium(client_id: int, user_id: str) -> bool:
    """Whether this author's uploads have priority; raises Forbidden for a suspended author.

    An upload needs no query: the marks are cached and reloaded after a change, which every
    process sees within a second.
    """
    suspended, premium = _marks.get()
    if (client_id, user_id) in suspended:
        raise Forbidden(
            f"The author {user_id!r} is suspended; uploads are rejected.", field="user_id"
        )
    return (client_id, user_id) in premium


def strike(client_id: int, user_id: str, by: int = 1) -> None:
    """Add a strike to the author, or remove one with -1."""
    db.execute_sql(
        "INSERT INTO author (client_id, user_id, strikes) VALUES (%(client)s, %(user)s,"
        " greatest(0, %(by)s)) ON CONFLICT (client_id, user_id)"
        " DO UPDATE SET strikes = greatest(0, author.strikes + %(by)s)",
        {"client": client_id, "user": user_id, "by": by},
    )


def record(client_id: int, user_id: str) -> dict[str, Any]:
    """An author's uploads by verdict, strikes, marks, and times of the first and last upload.

    Only the newest ``MAX_COUNTED`` uploads are counted; ``more`` says whether there are others.
    """
    row = db.execute_sql(
        "SELECT count(*), count(*) FILTER (WHERE verdict = 'rejected'),"
        " count(*) FILTER (WHERE verdict = 'approved'), count(*) FILTER (WHERE verdict = 'review'),"
        " (SELECT created_at FROM submission WHERE client_id = %(client)s AND user_id = %(user)s"
        "  ORDER BY id LIMIT 1), max(created_at)"
        " FROM (SELECT verdict, created_at FROM submission"
        " WHERE client_id = %(client)s AND user_id = %(user)s ORDER BY id DESC LIMIT %(most)s) s",
        {"client": client_id, "user": user_id, "most": MAX_COUNTED + 1},
    ).fetchone()
    author = Author.get_or_none(Author.client == client_id, Author.user_id == user_id)
    return {
        "uploads": min(row[0], MAX_COUNTED),
        "more": row[0] > MAX_COUNTED,
        "rejected": row[1],
        "approved": row[2],
        "review": row[3],
        "since": row[4],
        "last": row[5],
        "strikes": author.strikes if author else 0,
        "suspended_at": author.suspended_at if author else None,
        "premium_at": author.premium_at if author else None,
    }
