"""The last change by autoscaling, kept in Redis for `scripts/status` and the dashboard."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import redis

from tasks.queue.lanes import get_redis

KEY = "sluice:scaled"  # a hash with one entry per host; each host scales itself
EXPIRY = 86_400


def keep(before: int, after: int, why: str) -> None:
    """Store a change of the number of workers; while Redis is down only the log has it."""
    change = {"before": before, "after": after, "why": why, "at": time.time()}
    try:
        get_redis().hset(KEY, socket.gethostname(), json.dumps(change))
        get_redis().expire(KEY, EXPIRY)
    except redis.RedisError:
        return


def last() -> dict[str, Any] | None:
    """The newest change of all hosts: ``before``, ``after``, ``why``, ``at`` (seconds of the
    epoch); None if there was none for a day, or Redis is down."""
    try:
        changes: Any = get_redis().hvals(KEY)
    except redis.RedisError:
        return None
    return max(map(json.loads, changes), key=lambda change: change["at"], default=None)
