"""``GET /api/moderation/stats``: the load of the server, for clients and for autoscalers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from tasks import load
from webapp.keys import client_of_request

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


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/stats", view_func=stats)


def stats() -> dict[str, Any]:
    """Depth, mode, wait, capacity, throughput and workers."""
    client_of_request()
    known = load.snapshot()
    workers = [{name: worker[name] for name in TOLD_OF_WORKERS} for worker in known["workers"]]
    return {**{name: known[name] for name in TOLD}, "workers": workers}
