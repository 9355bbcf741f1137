"""The dashboard's panel of who fills the queue: the clients whose jobs wait, and their share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import peewee

from models.clients.client import Client
from models.database.connection import connection
from models.expiring_values import ExpiringValues
from tasks.load import client_share
from tasks.queue.fair_order import CONSOLE, DEBT

FEWEST = 10  # jobs; a shorter queue is nobody's matter
MOST_SHOWN = 5
OTHERS = {DEBT: "Review debt", CONSOLE: "Console"}

_kept = ExpiringValues()


@dataclass(frozen=True, slots=True)
class WaitingClient:
    """A client with its jobs in both lanes, its part of all jobs in percent, and its weight."""

    name: str
    jobs: int
    percent: float
    weight: int


def context() -> dict[str, Any]:
    """The variables of ``dashboard/_waiting_clients.html``, at most two seconds old."""
    return {"waiting_clients": _kept.get_or("waiting", 2.0, _read)}


def _read() -> list[WaitingClient]:
    jobs: Counter[str] = Counter()
    weights: dict[str, int] = {}
    for flows in client_share.flows().values():
        for flow in flows:
            jobs[flow.name] += flow.jobs
            weights[flow.name] = round(flow.weight)
    everything = jobs.total()
    if everything < FEWEST:
        return []
    shown = jobs.most_common(MOST_SHOWN)
    names = OTHERS | _names([int(name) for name, _ in shown if name.isdigit()])
    return [
        WaitingClient(names.get(name, f"Client {name}"), count, 100 * count / everything,
                      weights[name])
        for name, count in shown
    ]  # fmt: skip


def _names(ids: list[int]) -> dict[str, str]:
    try:
        with connection():
            rows = Client.select(Client.id, Client.name).where(Client.id.in_(ids)).tuples()
            return {str(client_id): name for client_id, name in rows}
    except peewee.PeeweeException:
        return {}
