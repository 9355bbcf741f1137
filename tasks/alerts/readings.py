"""What the rules of the alerts look at, read from the servers and from this machine."""

from __future__ import annotations

from typing import Any

import redis

from models.alerts import database_readings as rows
from models.alerts.evaluate import Readings
from tasks.load import expected_workers, response_counts, snapshot
from tasks.queue.lanes import get_redis


def read() -> Readings:
    """The readings of this moment; raises peewee.PeeweeException where PostgreSQL is away."""
    now = snapshot.read()
    known: dict[str, Any] = rows.read()
    shared, why = _shared()
    return Readings(
        database=0,
        redis=int(not now.redis),
        memory=now.memory,
        disk=now.disk,
        queue_depth=now.depth if now.redis else None,
        **known,
        **shared,
        why=tuple(why.items()),
    )


def _shared() -> tuple[dict[str, Any], dict[str, str]]:
    """What stands in Redis, and words for it; nothing where Redis is away."""
    try:
        info: Any = get_redis().info("clients")
        answered = response_counts.read()
    except redis.RedisError:
        return {}, {}
    beats = snapshot.workers()
    missing, heard = expected_workers.missing(beats)
    down = [beat["classifier_down"] for beat in beats if beat.get("classifier_down")]
    told = {
        "redis_connections": _share(info["connected_clients"], info.get("maxclients")),
        "error_rate": answered.error_rate or 0.0,
        "answer_seconds": answered.p95 or 0.0,
        "workers": missing,
        "model": len(down) if beats else None,
    }
    return told, {"workers": heard, "model": down[0] if down else ""}


def _share(number: int, most: int | None) -> float | None:
    return 100 * number / most if most else None
