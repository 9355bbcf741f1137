"""The readings that the alert rules evaluate, from the servers and from this machine."""

from __future__ import annotations

from typing import Any

import redis

from models.alerts import database_readings as rows
from models.alerts.evaluate import Readings
from models.rules import text_check
from tasks.load import health, response_counts, snapshot
from tasks.queue import redis_connection
from tasks.queue.lanes import get_redis


def read() -> Readings:
    """The current readings; raises peewee.PeeweeException if PostgreSQL is down."""
    redis_connection.verify()  # a Redis that refuses writes still reports its sizes
    now = snapshot.read()
    from_database: dict[str, Any] = rows.read()
    from_redis, why = _from_redis()
    broken = text_check.broken.get()
    unstored = health.storage_trouble()
    return Readings(
        database=0,
        redis=int(not now.redis),
        memory=now.memory,
        disk=now.disk,
        storage=int(bool(unstored)),
        queue_depth=now.depth if now.redis else None,
        **from_database,
        **from_redis,
        rules=len(broken.ignored),
        why=(
            *why.items(),
            ("rules", broken.summary()),
            ("storage", unstored),
            ("redis", now.redis_trouble or "does not respond"),
        ),
    )


def _from_redis() -> tuple[dict[str, Any], dict[str, str]]:
    """The readings from Redis, and words for some of them; empty while Redis is down."""
    try:
        info: Any = get_redis().info("clients")
        responses = response_counts.read()
    except redis.RedisError:
        return {}, {}
    beats = snapshot.workers()
    missing, sentence = health.missing_workers(beats)
    down = [beat["classifier_down"] for beat in beats if beat.get("classifier_down")]
    values = {
        "redis_connections": _share(info["connected_clients"], info.get("maxclients")),
        "error_rate": responses.error_rate or 0.0,
        "answer_seconds": responses.p95 or 0.0,
        "workers": missing,
        "model": len(down) if beats else None,
    }
    return values, {"workers": sentence, "model": down[0] if down else ""}


def _share(number: int, most: int | None) -> float | None:
    return 100 * number / most if most else None
