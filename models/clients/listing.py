"""The list of clients, with their keys and their uploads of the last day."""

from __future__ import annotations

from dataclasses import dataclass

import peewee

from models.clients.client import ApiKey, Client, has_ended
from models.database.connection import db


@dataclass(frozen=True, slots=True)
class ClientSummary:
    """A client in the list: the endings of its valid keys, and uploads of the last 24 hours."""

    client: Client
    endings: list[str]
    uploads: int


def summaries() -> list[ClientSummary]:
    """Every client, active ones first, by name."""
    endings: dict[int, list[str]] = {}
    for key in ApiKey.select().where(~has_ended()).order_by(ApiKey.id.desc()):
        endings.setdefault(key.client_id, []).append(key.hint)
    uploads = dict(
        db.execute_sql(  # ids are UUIDv7 and begin with the time in milliseconds
            "SELECT client_id, count(*) FROM submission WHERE id >= (lpad(to_hex((extract(epoch"
            " FROM now() - interval '1 day') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid"
            " GROUP BY client_id"
        ).fetchall()
    )
    rows = Client.select().order_by(
        Client.suspended_at.is_null(False), peewee.fn.lower(Client.name)
    )
    return [ClientSummary(row, endings.get(row.id, []), uploads.get(row.id, 0)) for row in rows]
