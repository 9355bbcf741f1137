"""``GET /api/moderation/stats``: the load of the server, for clients and autoscalers.

``/stats/history``: counts of the client's own uploads over time.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from models.errors import Invalid
from models.statistics import history
from tasks.load import client_share, snapshot
from webapp.api.keys import client_of_request

FIELDS = (
    "queue_available",
    "queue_depth",
    "queues",
    "current_mode",
    "estimated_wait",
    "capacity",
    "throughput",
)
WORKER_FIELDS = (
    "name",
    "host",
    "pid",
    "state",
    "processed",
    "errors",
    "jobs_per_second",
)


RANGE = "day"


def register(blueprint: Blueprint, url: str) -> None:
    """Register the calls."""
    blueprint.add_url_rule(f"{url}/stats", view_func=stats)
    blueprint.add_url_rule(f"{url}/stats/history", view_func=client_history)


def stats() -> dict[str, Any]:
    """Depth, mode, wait, capacity, throughput and workers; mode and wait are the client's own."""
    client = client_of_request()
    current = snapshot.snapshot()
    own = client_share.mode_of(client)
    current = {
        **current,
        "current_mode": own,
        "estimated_wait": client_share.wait_of(client),
        "capacity": snapshot.capacity(own),
    }
    workers = [{name: worker[name] for name in WORKER_FIELDS} for worker in current["workers"]]
    return {**{name: current[name] for name in FIELDS}, "workers": workers}


def client_history() -> dict[str, Any]:
    """The client's counts over the ``range`` in the URL; raises Invalid for an unknown range."""
    client = client_of_request()
    span = history.SPANS.get(request.args.get("range", RANGE))
    if span is None:
        raise Invalid(f"range must be one of {', '.join(history.SPANS)}.", field="range")
    return history.read(span, client.id).as_dict()
