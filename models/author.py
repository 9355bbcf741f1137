"""Authors: the clients' own users, as far as something is to be remembered of them."""

from __future__ import annotations

from typing import Any

import peewee

from models.client import Client
from models.db import Model, db


class Author(Model):
    """A client's user; a row exists once there is a strike or a suspension."""

    id = peewee.BigAutoField()
    client = peewee.ForeignKeyField(Client, backref="authors")
    user_id = peewee.TextField()
    strikes = peewee.IntegerField(default=0)
    suspended_at = peewee.DateTimeField(null=True)
    created_at = peewee.DateTimeField()


def strike(client_id: int, user_id: str, by: int = 1) -> None:
    """Add a strike to the author, or take one back with -1."""
    db.execute_sql(
        "INSERT INTO author (client_id, user_id, strikes) VALUES (%(client)s, %(user)s,"
        " greatest(0, %(by)s)) ON CONFLICT (client_id, user_id)"
        " DO UPDATE SET strikes = greatest(0, author.strikes + %(by)s)",
        {"client": client_id, "user": user_id, "by": by},
    )


def record(client_id: int, user_id: str) -> dict[str, Any]:
    """What is known of an author: uploads by verdict, strikes and since when."""
    row = db.execute_sql(
        "SELECT count(*), count(*) FILTER (WHERE verdict = 'rejected'),"
        " count(*) FILTER (WHERE verdict = 'approved'), min(created_at)"
        " FROM submission WHERE client_id = %s AND user_id = %s",
        (client_id, user_id),
    ).fetchone()
    author = Author.get_or_none(Author.client == client_id, Author.user_id == user_id)
    return {
        "uploads": row[0],
        "rejected": row[1],
        "approved": row[2],
        "since": row[3],
        "strikes": author.strikes if author else 0,
        "suspended_at": author.suspended_at if author else None,
    }
