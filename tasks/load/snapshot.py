"""The load: how much waits, which mode is in force, and everything that is told of the server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import peewee
import redis

from models.capacity import mode, wait_estimate
from models.capacity.mode import Load
from models.database import replica
from models.database.connection import connect, connection
from models.review import claims
from models.settings import Settings, get_settings, use_settings
from models.statistics import load_samples
from models.submissions.submission import PROCESSING, QUEUED, Submission
from tasks.host import resources
from tasks.load import health as parts
from tasks.load import heartbeat, last_scaling
from tasks.queue.lanes import FAIRNESS, PRIORITY, batch, get_huey, get_redis, place, rank_of

MODE_KEY = "sluice:mode"
MOST_COUNTED = 1_000_000  # rows that the estimate of the wait counts
T = TypeVar("T")


class Kept(dict[str, tuple[float, Any]]):
    """Values that are good for a short time, by name.

    When one has aged, the first who asks makes it anew; the others go on with the old one
    meanwhile, no longer than ``patience`` seconds. Else all requests of a moment make it at once.
    """

    def __init__(self, patience: float = 1.0) -> None:
        super().__init__()
        self._patience = patience
        self._making: set[str] = set()

    def get_or(self, name: str, seconds: float, make: Callable[[], T]) -> T:
        """The kept value, or a new one where it is older than ``seconds``."""
        at, value = self.get(name, (float("-inf"), None))
        age = time.monotonic() - at
        if age < seconds or (name in self._making and age < seconds + self._patience):
            result: T = value
            return result
        self._making.add(name)
        try:
            result = make()
        finally:
            self._making.discard(name)
        self[name] = (time.monotonic(), result)
        return result


_kept = Kept()


def read() -> Load:
    """The load of this moment, at most 50 ms old."""
    return _kept.get_or("load", 0.05, _read)


def _read() -> Load:
    memory, disk = _kept.get_or("machine", 1.0, _machine)
    try:
        sizes = get_huey().storage.sizes()
    except redis.RedisError:
        return Load(redis=False, memory=memory, disk=disk)
    return Load(sizes["priority"], sizes["normal"], True, memory, disk)


def _machine() -> tuple[float, float]:
    get_settings().media.mkdir(parents=True, exist_ok=True)
    return resources.memory(), resources.disk(get_settings().media, get_settings().sluice_home)


def current() -> dict[str, Any]:
    """The mode in force: ``mode``, ``since`` (seconds of the epoch) and ``why``.

    All web processes share it through Redis, so that they come down from a mode together.
    """
    load = read()
    before = _kept.get_or("mode", 0.05, _shared_mode)
    name = mode.choose(load, before["mode"], get_settings())
    if name == before["mode"]:
        return before
    now = {"mode": name, "since": time.time(), "why": mode.why(load, name, get_settings())}
    _kept["mode"] = (time.monotonic(), now)
    _share(now)
    return now


def _shared_mode() -> dict[str, Any]:
    """Whoever finds none begins one, so that all tell the same time of it."""
    try:
        stored: Any = get_redis().get(MODE_KEY)
        if stored is None:
            get_redis().set(MODE_KEY, json.dumps(_initial()), nx=True)
            stored = get_redis().get(MODE_KEY)
    except redis.RedisError:
        return _kept.get("mode", (0, _initial()))[1]
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
    """Each worker's last heartbeat, ``stale`` where it is late; none where Redis is away."""
    try:
        beats = _kept.get_or("workers", 0.5, heartbeat.workers)
    except redis.RedisError:
        return []
    late = time.time() - 3 * heartbeat.EVERY
    return [{**beat, "state": "stale" if beat["at"] < late else beat["state"]} for beat in beats]


def estimated_wait(priority: str = "normal", ahead: int | None = None) -> float:
    """Seconds until a job is decided that is enqueued now, or has ``ahead`` before it in its lane.

    ``priority`` is the submission's, which names its lane.
    """
    load, first = read(), priority == PRIORITY and get_settings().enable_queue_priority
    mine, others = (load.priority, load.normal) if first else (load.normal, load.priority)
    if ahead is None:
        ahead = mine + (0 if first else _beyond_the_queue(load))
    return round(wait_estimate.in_lane(first, ahead, others, crew(), 1 / FAIRNESS, batch), 1)


def remaining_wait(row: Submission) -> float:
    """Seconds until this submission is decided, by its own place in the queue.

    What came after it does not count, nor what it overtakes: a ``sync`` upload that could not be
    answered in time is nearer to its turn than the depth says.
    """
    if row.status == PROCESSING:
        return estimated_wait(row.priority, 0)
    try:
        ahead = place(row.id, rank_of(row.priority, row.mode)) if row.status == QUEUED else None
    except redis.RedisError:
        ahead = None
    return estimated_wait(row.priority, ahead)


def crew() -> wait_estimate.Crew:
    """The pace of each worker that is heard, by the lanes that it serves."""
    heard = [beat for beat in workers() if beat["state"] != "stale"]
    paces: dict[bool, list[float]] = {True: [], False: []}
    for beat in heard:
        paces[beat.get("lanes") == PRIORITY].append(beat["jobs_per_second"])
    return wait_estimate.Crew(paces[False], paces[True])


def _beyond_the_queue(load: Load) -> int:
    """What waits in PostgreSQL because the queue is full or away, at most two seconds old."""
    if load.redis and load.depth < 0.9 * get_settings().max_queue_size:
        return 0
    return _kept.get_or("beyond", 2.0, _count_received)


def _count_received() -> int:
    try:
        with connection():
            return Submission.count_received(MOST_COUNTED)
    except peewee.PeeweeException:
        return 0


def snapshot() -> dict[str, Any]:
    """Everything that is told of the server, at most half a second old."""
    with replica.use_primary():
        return _kept.get_or("snapshot", 0.5, _snapshot)


def forget() -> None:
    """Something has changed: what is told next is read anew."""
    for name in ("load", "snapshot"):
        _kept.pop(name, None)


def _snapshot() -> dict[str, Any]:
    load, state = read(), current()
    known = _database_part()
    return {
        "queue_available": load.redis,
        "queue_depth": load.depth,
        "queues": {
            "priority": load.priority,
            "normal": load.normal,
            "review_debt": known["review_debt"],
        },
        "current_mode": state["mode"],
        "mode_since": state["since"],
        "mode_why": state["why"],
        "estimated_wait": estimated_wait(),
        "capacity": _capacity(state["mode"]),
        "throughput": known["throughput"],
        "workers": workers(),
        "scaled": _kept.get_or("scaled", 5.0, last_scaling.last),
        "to_review": known["to_review"],
        "error_rate": _error_rate(),
        "health": health(),
    }


def _capacity(name: str) -> dict[str, str]:
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


def health() -> list[dict[str, str]]:
    """Each part with its state: ok, near (a limit) or down."""
    with replica.use_primary():
        return _kept.get_or("health", 2.0, lambda: parts.of(read(), workers()))


def brief() -> dict[str, Any]:
    """What ``scripts/status`` tells: ``mode``, ``queue_depth`` and ``estimated_wait``."""
    told = snapshot()
    keys = {"mode": "current_mode", "queue_depth": "queue_depth", "wait": "estimated_wait"}
    return {
        "mode": told[keys["mode"]],
        "mode_why": told["mode_why"],
        "queue_depth": told[keys["queue_depth"]],
        "estimated_wait": told[keys["wait"]],
        "to_review": told["to_review"]["all"],
        "review_debt": told["queues"]["review_debt"],
        "scaled": told["scaled"],
        "health": told["health"],
    }


if __name__ == "__main__":
    connect(use_settings(Settings.load()), pool=2)
    json.dump(brief(), sys.stdout, default=str)
