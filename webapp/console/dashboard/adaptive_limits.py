"""What the dashboard tells of limits under pressure: whose are lowered, and whose were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import peewee

from models.audit.log import Audit, AuditFilter
from models.clients.client import Client
from models.database.connection import connection
from tasks.load import adaptive_limits, snapshot

REMEMBERED = timedelta(hours=1)  # for which a limit that is whole again is still told
MOST = 3

_kept = snapshot.Kept()


@dataclass(frozen=True, slots=True)
class Row:
    """A client whose limit is lowered from ``before`` to ``limit`` uploads a minute."""

    name: str
    before: int
    limit: int
    why: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Lifted:
    """A client whose limit is whole again, after it was at worst ``lowest``."""

    name: str
    lowest: int
    before: int
    why: str
    minutes: float
    at: datetime


def context() -> dict[str, Any]:
    """What ``dashboard/_pressure.html`` wants, at most two seconds old."""
    return _kept.get_or("pressure", 2.0, _read)


def _read() -> dict[str, Any]:
    state = adaptive_limits.current()
    try:
        with connection():
            names = _names([one.client_id for one in state.lowered])
            lifted = _lifted()
    except peewee.PeeweeException:
        names, lifted = {}, []
    rows = [
        Row(
            names.get(one.client_id, f"client {one.client_id}"),
            one.before,
            state.limit,
            one.why,
            datetime.fromtimestamp(one.since, UTC),
        )
        for one in state.lowered
    ]
    return {"lowered": sorted(rows, key=lambda row: -row.before), "lifted": lifted}


def _names(ids: list[int]) -> dict[int, str]:
    if not ids:
        return {}
    return dict(Client.select(Client.id, Client.name).where(Client.id.in_(ids)).tuples())


def _lifted() -> list[Lifted]:
    since = datetime.now(UTC) - REMEMBERED
    found = Audit.page(AuditFilter(action=adaptive_limits.LIFTED, since=since.date()), MOST)
    return [
        Lifted(
            row.subject,
            row.details["before"],
            row.details["after"],
            row.details["reason"],
            row.details["minutes"],
            row.at,
        )
        for row in found
        if row.at >= since
    ]
