"""The parts that Sluice stands on, each with its state: ok, near (a limit) or down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import peewee
import redis

from models.alerts import database_readings
from models.capacity.mode import Load
from models.database import replica
from models.database.connection import connection, db
from models.errors import SluiceError
from models.settings import get_settings
from models.settings.urls import is_bucket
from tasks import storage
from tasks.load import expected_workers
from tasks.queue.lanes import get_redis

Part = dict[str, str]
SILENT_AFTER = 45.0  # seconds without a sample of the load, of which the standby takes one in ten
NEEDED = ("PostgreSQL", "Memory", "Disk")  # without which no upload is taken


def of(load: Load, beats: Sequence[dict[str, Any]]) -> list[Part]:
    """Every part, from the load, the workers' heartbeats, and by asking the servers."""
    database = _timed("PostgreSQL", _ask_database)
    copy = [_timed("Replica", _ask_replica)] if get_settings().database_replica_url else []
    bucket = [_timed("Storage", _ask_storage)] if is_bucket(get_settings().storage_url) else []
    return [
        database,
        _timed("Redis", _ask_redis),
        _queue(load),
        _share("Memory", load.memory, get_settings().memory_threshold),
        _share("Disk", load.disk, get_settings().disk_threshold),
        _model(load, beats),
        _workers(load, beats),
        _standby(database),
        *copy,
        *bucket,
    ]


def take_uploads(parts: Sequence[Part]) -> bool:
    """Whether uploads can be taken: Redis may be away; the database and room may not."""
    states = {part["name"]: part["state"] for part in parts}
    return all(states[name] != "down" for name in NEEDED)


def _part(name: str, state: str, detail: str) -> Part:
    return {"name": name, "state": state, "detail": detail}


def _timed(name: str, ask: Callable[[], str]) -> Part:
    started = time.perf_counter()
    try:
        detail = ask()
    except (peewee.PeeweeException, redis.RedisError, SluiceError):
        instead = ", reads go to the primary" if name == "Replica" else ""
        return _part(name, "down", f"does not answer{instead}")
    took = (time.perf_counter() - started) * 1000
    return _part(name, "ok", f"{detail} · {took:.1f} ms")


def _ask_database() -> str:
    with connection():
        row = db.execute_sql(
            "SELECT count(*), current_setting('max_connections') FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'"
        ).fetchone()
    return f"{row[0]} of {row[1]} connections"


def _ask_redis() -> str:
    used: Any = get_redis().info("memory")
    return f"{used['used_memory'] / 1024 / 1024:.0f} MB"


def _ask_replica() -> str:
    return replica.describe_lag(get_settings())


def _ask_storage() -> str:
    return storage.of(get_settings()).check()


def _queue(load: Load) -> Part:
    if not load.redis:
        return _part("Queue", "near", "Redis is away; what comes waits in PostgreSQL")
    detail = f"{load.depth:,} of {get_settings().max_queue_size:,} jobs"
    bound = get_settings().alert_queue_depth or get_settings().max_queue_size
    return _part("Queue", "near" if load.depth > bound else "ok", detail)


def _share(name: str, used: float, limit: int) -> Part:
    short = used >= limit and get_settings().enable_backpressure
    state = "down" if short else "near" if used >= 0.9 * limit else "ok"
    return _part(name, state, f"{used:.0f} % in use, limit {limit} %")


def _model(load: Load, beats: Sequence[dict[str, Any]]) -> Part:
    down = [beat for beat in beats if beat.get("classifier_down")]
    if down:
        return _part("Model", "down", down[0]["classifier_down"])
    if not beats:
        heard = "no worker is heard" if load.redis else "Redis is away, so no worker is heard"
        return _part("Model", "near", heard)
    return _part("Model", "ok", f"open_nsfw by {get_settings().nsfw_engine}")


def _workers(load: Load, beats: Sequence[dict[str, Any]]) -> Part:
    if not load.redis:
        return _part("Workers", "near", "Redis is away, so none is heard")
    number, heard = expected_workers.missing(beats)
    alive = any(beat["state"] != "stale" for beat in beats)
    return _part("Workers", ("near" if alive else "down") if number else "ok", heard.rstrip("."))


def _standby(database: Part) -> Part:
    unasked = _part("Standby", "near", "cannot be asked without PostgreSQL")
    if database["state"] == "down":
        return unasked
    try:
        with connection():
            silent = database_readings.standby_silent()
    except peewee.PeeweeException:
        return unasked
    if silent is None:
        return _part("Standby", "near", "has not been heard yet")
    if silent > SILENT_AFTER:
        return _part("Standby", "down", "nothing sweeps, delivers or alerts; it has stopped")
    return _part("Standby", "ok", "sweeps, delivers and alerts")
