"""``GET /api/moderation/stats``: the load of the server, for clients and for autoscalers.

``/stats/history``: what became of the client's own uploads over time.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from models.errors import Invalid
from models.statistics import history
from tasks.load import snapshot
from webapp.api.keys import client_of_request

TOLD = (
    "queue_available",
    "queue_depth",
    "queues",
    "current_mode",
    "estimated_wait",
    "capacity",
    "throughput",
)
TOLD_OF_WORKERS = (
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
    blueprint.add_url_rule(f"{url}/stats/history", view_func=told_history)


def stats() -> dict[str, Any]:
    """Depth, mode, wait, capacity, throughput and workers."""
    client_of_request()
    known = snapshot.snapshot()
    workers = [{name: worker[name] for name in TOLD_OF_WORKERS} for worker in known["workers"]]
    return {**{name: known[name] for name in TOLD}, "workers": workers}


def told_history() -> dict[str, Any]:
    """The client's counts over the ``range`` of the URL; raises Invalid where there is no such."""
    client = client_of_request()
    span = history.SPANS.get(request.args.get("range", RANGE))
    if span is None:
        raise Invalid(f"range is one of {', '.join(history.SPANS)}.", field="range")
    return history.read(span, client.id).told()
