"""The dashboard's panel of the adaptive limit: clients that are limited, and recently restored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import peewee

from models.audit.log import Audit, AuditFilter
from models.clients.client import Client
from models.database.connection import connection
from models.expiring_values import ExpiringValues
from tasks.load import adaptive_limit

RECENT = timedelta(hours=1)  # how long a restored limit is shown
MOST_RESTORED = 3

_kept = ExpiringValues()


@dataclass(frozen=True, slots=True)
class LimitedClient:
    """A client whose limit is lowered from ``before`` to ``limit`` uploads per minute."""

    name: str
    before: int
    limit: int
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RestoredClient:
    """A client whose limit is ``before`` again, after ``minutes``; it was ``lowest`` at worst."""

    name: str
    lowest: int
    before: int
    reason: str
    minutes: float
    at: datetime


def context() -> dict[str, Any]:
    """The variables of ``dashboard/_adaptive_limit.html``, at most two seconds old."""
    return _kept.get_or("adaptive_limit", 2.0, _read)


def _read() -> dict[str, Any]:
    state = adaptive_limit.current()
    try:
        with connection():
            names = _names([limit.client_id for limit in state.limits])
            restored = _restored()
    except peewee.PeeweeException:
        names, restored = {}, []
    limited = [
        LimitedClient(
            names.get(limit.client_id, f"client {limit.client_id}"),
            limit.before,
            state.uploads_per_minute,
            limit.reason,
            datetime.fromtimestamp(limit.since, UTC),
        )
        for limit in state.limits
    ]
    limited.sort(key=lambda client: -client.before)
    return {"limited_clients": limited, "restored_clients": restored}


def _names(ids: list[int]) -> dict[int, str]:
    if not ids:
        return {}
    return dict(Client.select(Client.id, Client.name).where(Client.id.in_(ids)).tuples())


def _restored() -> list[RestoredClient]:
    since = datetime.now(UTC) - RECENT
    rows = Audit.page(
        AuditFilter(action=adaptive_limit.RESTORED, since=since.date()), MOST_RESTORED
    )
    return [
        RestoredClient(
            row.subject,
            row.details["before"],
            row.details["after"],
            row.details["reason"],
            row.details["minutes"],
            row.at,
        )
        for row in rows
        if row.at >= since
    ]
