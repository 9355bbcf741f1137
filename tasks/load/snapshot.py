"""The load: the queue's depth, the current mode, and the report on the whole server."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import replace
from typing import Any

import peewee
import redis

from models.capacity import mode, wait_estimate
from models.capacity.mode import Load
from models.database import replica
from models.database.connection import connect, connection
from models.expiring_values import ExpiringValues
from models.review import claims
from models.settings import Settings, get_settings, use_settings
from models.statistics import load_samples
from models.submissions.submission import Submission
from tasks.host import resources
from tasks.load import health as parts
from tasks.load import heartbeat, last_scaling, response_counts
from tasks.queue import redis_connection
from tasks.queue.lane_storage import FAIRNESS, PRIORITY
from tasks.queue.lanes import batch, get_huey, get_redis

MODE_KEY = "sluice:mode"
MOST_COUNTED = 1_000_000  # rows that the estimate of the wait counts


_values = ExpiringValues()


def read() -> Load:
    """The current load, at most 50 ms old."""
    return _values.get_or("load", 0.05, _read)


def _read() -> Load:
    memory, disk = _values.get_or("machine", 1.0, _machine)
    try:
        sizes = _sizes()
    except redis.RedisError:
        wrong = redis_connection.trouble()
        return Load(redis=False, redis_trouble=wrong, memory=memory, disk=disk)
    return Load(sizes["priority"], sizes["normal"], memory=memory, disk=disk)


def _sizes() -> dict[str, int]:
    """The queue's sizes; one lost connection to a Redis that works does not count."""
    storage = get_huey().storage
    try:
        sizes: dict[str, int] = storage.sizes()
    except redis.RedisError:
        if redis_connection.trouble():
            raise
        sizes = storage.sizes()
    return sizes


def _machine() -> tuple[float, float]:
    with contextlib.suppress(OSError):  # the part "Storage" of the health says so
        get_settings().media.mkdir(parents=True, exist_ok=True)
    return resources.memory(), resources.disk(get_settings().media, get_settings().sluice_home)


def current() -> dict[str, Any]:
    """The current mode: ``mode``, ``since`` (seconds of the epoch) and ``why``.

    All web processes share it through Redis, so that they leave a mode together.
    """
    load = read()
    before = _values.get_or("mode", 0.05, _shared_mode)
    if before["mode"] in (mode.ASYNC, mode.FAST_TRACK):
        load = replace(load, arrivals=_arrivals(), service=_service())
    name = mode.choose(load, before["mode"], get_settings())
    if name == before["mode"]:
        return before
    now = {"mode": name, "since": time.time(), "why": mode.why(load, name, get_settings())}
    _values["mode"] = (time.monotonic(), now)
    _share(now)
    return now


def _arrivals() -> float:
    """Uploads per second lately, at most a second old; 0 while Redis is down."""
    try:
        return _values.get_or("arrivals", 1.0, response_counts.uploads_per_second)
    except redis.RedisError:
        return 0.0


def _service() -> float:
    """Jobs per second that the online workers can do; 0 if none has measured its rate yet."""
    paces = crew()
    return sum(paces.both) + sum(paces.priority)


def _shared_mode() -> dict[str, Any]:
    """The shared mode; the first process stores one, so that all report the same ``since``."""
    try:
        stored: Any = get_redis().get(MODE_KEY)
        if stored is None:
            get_redis().set(MODE_KEY, json.dumps(_initial()), nx=True)
            stored = get_redis().get(MODE_KEY)
    except redis.RedisError:
        return _values.get("mode", (0, _initial()))[1]
    return json.loads(stored) if stored else _initial()


def _initial() -> dict[str, Any]:
    why = mode.why(Load(), mode.SYNC, get_settings())
    return {"mode": mode.SYNC, "since": time.time(), "why": why}


def _share(state: dict[str, Any]) -> None:
    try:
        get_redis().set(MODE_KEY, json.dumps(state))
    except redis.RedisError:
        return


def workers() -> list[dict[str, Any]]:
    """Each worker's last heartbeat, ``stale`` if it is late; empty while Redis is down."""
    try:
        beats = _values.get_or("workers", 0.5, heartbeat.workers)
    except redis.RedisError:
        return []
    late = time.time() - 3 * heartbeat.EVERY
    return [{**beat, "state": "stale" if beat["at"] < late else beat["state"]} for beat in beats]


def estimated_wait(priority: str = "normal", ahead: int | None = None) -> float:
    """Seconds until a job is decided that is enqueued now, or that has ``ahead`` jobs before it.

    ``priority`` is the submission's priority, which is also its lane.
    """
    load, first = read(), priority == PRIORITY and get_settings().enable_queue_priority
    own_lane, other_lane = (load.priority, load.normal) if first else (load.normal, load.priority)
    if ahead is None:
        ahead = own_lane + (0 if first else _beyond_the_queue())
    return round(wait_estimate.in_lane(first, ahead, other_lane, crew(), 1 / FAIRNESS, batch), 1)


def crew() -> wait_estimate.Crew:
    """The pace of each worker that is online, by the lanes that it serves."""
    online = [beat for beat in workers() if beat["state"] != "stale"]
    paces: dict[bool, list[float]] = {True: [], False: []}
    for beat in online:
        paces[beat.get("lanes") == PRIORITY].append(beat["jobs_per_second"])
    return wait_estimate.Crew(paces[False], paces[True])


def _beyond_the_queue() -> int:
    """Jobs in PostgreSQL that the queue has no room for, or is down; at most two seconds old."""
    if not is_beyond_the_queue():
        return 0
    return _values.get_or("beyond", 2.0, _count_received)


def is_beyond_the_queue() -> bool:
    """Whether jobs may wait in PostgreSQL, because the queue is nearly full or down."""
    load = read()
    return not load.redis or load.depth >= 0.9 * get_settings().max_queue_size


def _count_received() -> int:
    try:
        with connection():
            return Submission.count_received(MOST_COUNTED)
    except peewee.PeeweeException:
        return 0


def snapshot() -> dict[str, Any]:
    """The report on the whole server, at most half a second old."""
    with replica.use_primary():
        return _values.get_or("snapshot", 0.5, _snapshot)


def forget() -> None:
    """Drop the cached load and report, because something has changed."""
    for name in ("load", "snapshot"):
        _values.pop(name, None)


def _snapshot() -> dict[str, Any]:
    load, state = read(), current()
    database = _database_part()
    return {
        "queue_available": load.redis,
        "queue_depth": load.depth,
        "queues": {
            "priority": load.priority,
            "normal": load.normal,
            "review_debt": database["review_debt"],
        },
        "current_mode": state["mode"],
        "mode_since": state["since"],
        "mode_why": state["why"],
        "estimated_wait": estimated_wait(),
        "capacity": capacity(state["mode"]),
        "throughput": database["throughput"],
        "workers": workers(),
        "scaled": _values.get_or("scaled", 5.0, last_scaling.last),
        "to_review": database["to_review"],
        "error_rate": _error_rate(),
        "health": health(),
    }


def capacity(name: str) -> dict[str, str]:
    """Which modes an upload can get while this is the mode."""
    available = {True: "available", False: "unavailable"}
    return {
        "sync": available[name == mode.SYNC],
        "async": available[name in (mode.SYNC, mode.ASYNC, mode.FAST_TRACK)],
        "fast_track": "always_available",
    }


def _database_part() -> dict[str, Any]:
    empty = {"all": 0, "priority": 0, "claimed": 0, "oldest": None}
    try:
        with connection():
            return {
                "review_debt": Submission.count_owed(),
                "throughput": load_samples.decided_since(10) / 10,
                "to_review": claims.counts(),
            }
    except peewee.PeeweeException:
        return {"review_debt": 0, "throughput": 0.0, "to_review": empty}


def _error_rate() -> float:
    beats = workers()
    done = sum(beat["processed"] for beat in beats)
    return round(sum(beat["errors"] for beat in beats) / done, 4) if done else 0.0


def health(seconds: float = 2.0) -> list[dict[str, str]]:
    """Each part with its state: ok, near (a limit) or down; at most ``seconds`` old."""
    with replica.use_primary():
        return _values.get_or("health", seconds, lambda: parts.of(read(), workers()))


def brief() -> dict[str, Any]:
    """The part of the report that ``scripts/status`` shows. It is read anew.

    The script asks any web instance, and each has read its own report at another time.
    """
    parts_now = health(0.0)
    forget()
    report = snapshot()
    return {
        "mode": report["current_mode"],
        "mode_why": report["mode_why"],
        "queue_depth": report["queue_depth"],
        "estimated_wait": report["estimated_wait"],
        "to_review": report["to_review"]["all"],
        "review_debt": report["queues"]["review_debt"],
        "scaled": report["scaled"],
        "health": parts_now,
        "webhooks_held": get_settings().hold_webhooks,
    }


if __name__ == "__main__":
    connect(use_settings(Settings.load()), pool=2)
    redis_connection.verify()
    json.dump(brief(), sys.stdout, default=str)
