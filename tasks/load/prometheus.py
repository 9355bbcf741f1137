"""The metrics that a scrape by Prometheus gets: the state of the server, and the counters.

The state is read at each scrape from PostgreSQL, Redis and the workers' heartbeats. A value that
cannot be read is left out, and ``sluice_part_up`` says which part is down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import peewee
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from models.alerts import alert, database_readings
from models.alerts.rules import RULES
from models.capacity import mode
from models.database.connection import connection
from models.settings import get_settings
from tasks.load import snapshot
from tasks.observability import metric_files, metrics

Rows = Iterable[tuple[tuple[str, ...], float]]


def measures() -> list[Metric]:
    """The counters and timers of all processes together, of running and of ended ones."""
    path = metric_files.folder()
    if path is None:
        return list(metrics.meters().registry.collect())
    metric_files.forget_dead(path)
    return list(MultiProcessCollector(None, str(path)).collect())


class CollectedMetrics:
    """Metrics that are already collected, in the form that the client library's encoders take."""

    def __init__(self, collected: Iterable[Metric]) -> None:
        self._metrics = list(collected)

    def collect(self) -> list[Metric]:
        return self._metrics


def registry(collected: Iterable[Metric]) -> CollectorRegistry:
    """A registry of these metrics, for the encoders."""
    made = CollectorRegistry()
    made.register(CollectedMetrics(collected))
    return made


class Measures:
    """``measures`` as a collector: read at each scrape."""

    def collect(self) -> list[Metric]:
        return measures()


def state() -> list[Metric]:
    """The state of the server, read now."""
    collected = [*_load(), *_workers()]
    try:
        with connection():
            collected += _database()
    except peewee.PeeweeException:  # sluice_part_up says so
        pass
    return collected


def _gauge(name: str, about: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = GaugeMetricFamily(f"sluice_{name}", about, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _one(name: str, about: str, number: float) -> Metric:
    return _gauge(name, about, (), [((), number)])


def _load() -> Iterator[Metric]:
    now, report = snapshot.read(), snapshot.snapshot()
    lanes = [(("priority",), now.priority), (("normal",), now.normal)]
    yield _gauge("queue_depth", "Jobs that wait in Redis.", ("lane",), lanes if now.redis else [])
    waits = [((lane,), snapshot.estimated_wait(lane)) for lane in ("priority", "normal")]
    yield _gauge("estimated_wait_seconds", "Estimated wait of a new upload.", ("lane",), waits)
    modes = [((name,), float(name == report["current_mode"])) for name in mode.MODES]
    yield _gauge("mode", "1 for the current mode, else 0.", ("mode",), modes)
    parts = [((part["name"],), float(part["state"] != "down")) for part in report["health"]]
    yield _gauge("part_up", "1 while a part of /readyz is not down.", ("part",), parts)
    yield _one("memory_used_ratio", "Memory in use, 0 to 1.", now.memory / 100)
    yield _one("disk_used_ratio", "Disk in use, 0 to 1, the fuller one.", now.disk / 100)
    yield _one("queue_limit", "Most jobs that the queue holds.", get_settings().max_queue_size)


def _workers() -> Iterator[Metric]:
    beats = snapshot.workers()
    states = {"starting": 0, "idle": 0, "busy": 0, "stale": 0}
    for beat in beats:
        states[beat["state"]] = states.get(beat["state"], 0) + 1
    counts = [((name,), float(number)) for name, number in states.items()]
    yield _gauge("workers", "Workers online, by state.", ("state",), counts)
    yield _per_worker(
        beats, "worker_busy_ratio", "Share of the time spent on jobs, 0 to 1.", "load"
    )
    yield _per_worker(beats, "worker_memory_bytes", "Resident memory of a worker.", "memory")


def _per_worker(beats: list[dict[str, Any]], name: str, about: str, key: str) -> Metric:
    rows = [((beat["host"], beat["name"]), float(beat[key])) for beat in beats]
    return _gauge(name, about, ("host", "worker"), rows)


def _database() -> Iterator[Metric]:
    report, ages = snapshot.snapshot(), database_readings.read()
    (owed, dead), (states, most) = database_readings.deliveries(), database_readings.connections()
    debt = report["queues"]["review_debt"]
    yield _one("reviews_open", "Flags that wait for a person.", report["to_review"]["all"])
    yield _one("review_debt", "Submissions that owe their full checks.", debt)
    yield _one("oldest_flag_age_seconds", "Age of the oldest open flag.", ages["oldest_flag_age"])
    yield _one("review_debt_age_seconds", "Age of the oldest review debt.", ages["review_debt_age"])
    yield _one(
        "submissions_quarantined",
        "Submissions that failed at every attempt and wait for a person.",
        database_readings.quarantined(),
    )
    yield _one("deliveries_owed", "Webhook calls that are owed.", owed)
    yield _one("deliveries_dead", "Webhook calls that were given up.", dead)
    counts = [((state,), float(number)) for state, number in states.items()]
    yield _gauge("db_connections", "PostgreSQL's connections by state.", ("state",), counts)
    yield _one("db_connections_max", "Most connections that PostgreSQL accepts.", most)
    yield _alerts()


def _alerts() -> Metric:
    open_alerts = alert.open_counts()
    rows = [((rule.name, rule.level), float(open_alerts.get(rule.name, 0))) for rule in RULES]
    return _gauge("alert", "Open alerts of a rule.", ("rule", "level"), rows)
