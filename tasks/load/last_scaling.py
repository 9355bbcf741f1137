"""What autoscaling did last, and why: kept in Redis for `scripts/status` and the dashboard."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import redis

from tasks.queue.lanes import get_redis

KEY = "sluice:scaled"  # a hash: one entry a host, each of which scales for itself
FORGOTTEN_AFTER = 86_400


def keep(before: int, after: int, why: str) -> None:
    """Remember a change of the number of workers; where Redis is away, the log has it."""
    told = {"before": before, "after": after, "why": why, "at": time.time()}
    try:
        get_redis().hset(KEY, socket.gethostname(), json.dumps(told))
        get_redis().expire(KEY, FORGOTTEN_AFTER)
    except redis.RedisError:
        return


def last() -> dict[str, Any] | None:
    """The newest change of all hosts: ``before``, ``after``, ``why``, ``at`` (seconds of the
    epoch); None where there was none for a day, or Redis is away."""
    try:
        known: Any = get_redis().hvals(KEY)
    except redis.RedisError:
        return None
    return max(map(json.loads, known), key=lambda told: told["at"], default=None)
