"""The parts that Sluice depends on, each with its state: ok, near (a limit) or down."""

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
from models.rules import text_check
from models.settings import get_settings
from models.settings.urls import is_bucket
from tasks import storage
from tasks.load.heartbeat import is_ours
from tasks.queue import redis_connection
from tasks.queue.lanes import get_redis
from tasks.servers import worker_pool

Part = dict[str, str]
SILENT_AFTER = 45.0  # seconds without a load sample; the standby takes one every 10 s
NEEDED = ("PostgreSQL", "Memory", "Disk")  # without one of these no upload is accepted


def of(load: Load, beats: Sequence[dict[str, Any]]) -> list[Part]:
    """Every part, by the load, the workers' heartbeats, and a probe of each server."""
    database = _timed("PostgreSQL", _probe_database)
    copy = [_timed("Replica", _probe_replica)] if get_settings().database_replica_url else []
    return [
        database,
        _timed("Redis", _probe_redis),
        _queue(load),
        _share("Memory", load.memory, get_settings().memory_threshold),
        _share("Disk", load.disk, get_settings().disk_threshold),
        _rules(database),
        _model(load, beats),
        _decoder(load, beats),
        _workers(load, beats),
        _standby(database),
        *copy,
        _storage(),
    ]


def take_uploads(parts: Sequence[Part]) -> bool:
    """Whether uploads can be accepted: they need the database and room, but not Redis.

    A media folder that this host cannot write counts, as other hosts may be able to. A bucket does
    not: every host would be taken out of service, and texts need no bucket.
    """
    states = {part["name"]: part["state"] for part in parts}
    folder = () if is_bucket(get_settings().storage_url) else ("Storage",)
    return all(states[name] != "down" for name in (*NEEDED, *folder))


def _part(name: str, state: str, detail: str) -> Part:
    return {"name": name, "state": state, "detail": detail}


def _timed(name: str, probe: Callable[[], str]) -> Part:
    started = time.perf_counter()
    try:
        detail = probe()
    except (peewee.PeeweeException, redis.RedisError, SluiceError):
        instead = ", reads go to the primary" if name == "Replica" else ""
        wrong = redis_connection.trouble() if name == "Redis" else ""
        return _part(name, "down", f"{wrong or 'does not respond'}{instead}")
    took = (time.perf_counter() - started) * 1000
    return _part(name, "ok", f"{detail} · {took:.1f} ms")


def _probe_database() -> str:
    with connection():
        row = db.execute_sql(
            "SELECT count(*), current_setting('max_connections') FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'"
        ).fetchone()
    return f"{row[0]} of {row[1]} connections"


def _probe_redis() -> str:
    wrong = redis_connection.verify()
    if wrong:
        raise redis.ConnectionError(wrong)
    used: Any = get_redis().info("memory")
    return f"{used['used_memory'] / 1024 / 1024:.0f} MB"


def _probe_replica() -> str:
    return replica.describe_lag(get_settings())


def _storage() -> Part:
    started = time.perf_counter()
    wrong = storage_trouble()
    if wrong:
        return _part("Storage", "down", wrong)
    name = "bucket" if is_bucket(get_settings().storage_url) else "media folder"
    return _part("Storage", "ok", f"{name} · {(time.perf_counter() - started) * 1000:.1f} ms")


def storage_trouble() -> str:
    """What is wrong with the storage, in words; "" if it can be written."""
    try:
        storage.of(get_settings()).check()
    except SluiceError as error:
        return error.detail.rstrip(".")
    return ""


def _queue(load: Load) -> Part:
    if not load.redis:
        wrong = load.redis_trouble or "is down"
        return _part("Queue", "near", f"Redis {wrong}; new jobs wait in PostgreSQL")
    detail = f"{load.depth:,} of {get_settings().max_queue_size:,} jobs"
    bound = get_settings().alert_queue_depth or get_settings().max_queue_size
    return _part("Queue", "near" if load.depth > bound else "ok", detail)


def _share(name: str, used: float, limit: int) -> Part:
    short = used >= limit and get_settings().enable_backpressure
    state = "down" if short else "near" if used >= 0.9 * limit else "ok"
    return _part(name, state, f"{used:.0f} % in use, limit {limit} %")


def _rules(database: Part) -> Part:
    unasked = _part("Rules", "near", "cannot be read without PostgreSQL")
    if database["state"] == "down":
        return unasked
    try:
        with connection():
            broken = text_check.broken.get()
    except peewee.PeeweeException:
        return unasked
    return _part("Rules", "near" if broken.ignored else "ok", broken.summary() or "all compile")


def _model(load: Load, beats: Sequence[dict[str, Any]]) -> Part:
    down = [beat for beat in beats if beat.get("classifier_down")]
    if down:
        return _part("Model", "down", down[0]["classifier_down"])
    if not beats:
        why = "no worker is online" if load.redis else "unknown while Redis is down"
        return _part("Model", "near", why)
    return _part("Model", "ok", f"open_nsfw by {get_settings().nsfw_engine}")


def _decoder(load: Load, beats: Sequence[dict[str, Any]]) -> Part:
    """Whether pictures can be decoded, and whether the kernel confines the process that does."""
    down = [beat for beat in beats if beat.get("decoder_down")]
    if down:
        return _part("Decoder", "down", down[0]["decoder_down"].rstrip("."))
    reports = [beat.get("decoder_unconfined") for beat in beats]
    if any(reports):
        lacking = next(report for report in reports if report)
        return _part("Decoder", "near", f"not fully confined, this kernel lacks {lacking}")
    if None in reports or not reports:
        why = "has not started yet" if load.redis else "unknown while Redis is down"
        return _part("Decoder", "near", why)
    return _part("Decoder", "ok", "confined by Landlock and seccomp")


def _workers(load: Load, beats: Sequence[dict[str, Any]]) -> Part:
    if not load.redis:
        return _part("Workers", "near", "unknown while Redis is down")
    number, sentence = missing_workers(beats)
    alive = any(beat["state"] != "stale" for beat in beats)
    return _part("Workers", ("near" if alive else "down") if number else "ok", sentence.rstrip("."))


def _standby(database: Part) -> Part:
    unknown = _part("Standby", "near", "unknown while PostgreSQL is down")
    if database["state"] == "down":
        return unknown
    try:
        with connection():
            silent = database_readings.standby_silent()
    except peewee.PeeweeException:
        return unknown
    if silent is None:
        return _part("Standby", "near", "has not reported yet")
    if silent > SILENT_AFTER:
        return _part("Standby", "down", "stopped: no sweeps, deliveries or alerts")
    return _part("Standby", "ok", "sweeps, delivers and alerts")


def expected_workers() -> int | None:
    """How many workers this stack's supervisor should run; None without a supervisor."""
    if not (get_settings().run / "supervisord.pid").exists():
        return None
    return sum(worker_pool.sizes(get_settings()).values())


def missing_workers(beats: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """How many workers are missing among these heartbeats, and a sentence about it.

    If something other than our supervisor starts the workers, MIN_WORKERS are expected on all hosts
    together.
    """
    online = [beat for beat in beats if beat["state"] != "stale"]
    number = expected_workers()
    if number is None:
        number = get_settings().min_workers
    else:
        online = [beat for beat in online if is_ours(beat)]
    return max(0, number - len(online)), f"{len(online)} of {number} workers online."
