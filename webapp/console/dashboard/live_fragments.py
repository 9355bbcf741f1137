"""Renders the live fragments of the dashboard and of the strip on every page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import peewee
from flask import Flask

from models.alerts.alert import Alert
from models.database.connection import connection
from models.expiring_values import ExpiringValues
from models.statistics import history, load_samples
from models.statistics.counters import total
from models.statistics.history import History
from models.verdict import VERDICTS
from models.webhooks.delivery import Delivery
from tasks.load import snapshot as load
from webapp.console.dashboard import adaptive_limit, tiles, waiting_clients
from webapp.console.dashboard.tiles import DATABASE, MODES

RANGES = {
    "hour": 60,
    "day": 24 * 60,
    "week": 7 * 24 * 60,
    "month": 30 * 24 * 60,
    "year": 364 * 24 * 60,
}
STEPS_PER_BAR = 2
IN_STRIP, IN_LIST = 3, 99  # alerts on the dashboard, and on their own page
SPARK_MINUTES, SPARK_POINTS = 60, 40
UNKNOWN_LOAD: dict[str, Any] = {
    "queue_available": False,
    "queue_depth": 0,
    "queues": {"priority": 0, "normal": 0, "review_debt": 0},
    "current_mode": "direct",
    "mode_since": 0.0,
    "mode_why": "the load cannot be read",
    "estimated_wait": 0.0,
    "throughput": 0.0,
    "workers": [],
    "scaled": None,
    "to_review": {"all": 0, "priority": 0, "claimed": 0, "oldest": None},
    "error_rate": 0.0,
    "health": [{"name": DATABASE, "state": "down", "detail": "the load cannot be read"}],
}


_cache = ExpiringValues()


def snapshot() -> dict[str, Any]:
    """The load, or UNKNOWN_LOAD if the database is down."""
    try:
        current: dict[str, Any] = load.snapshot()
    except peewee.PeeweeException:
        return UNKNOWN_LOAD
    return current


def sparks() -> dict[str, str]:
    """The SVG points of each tile's line over the last hour."""
    rows = _cache.get_or("samples", 10.0, _read_samples)
    modes = list(MODES)
    return {
        "depth": points([row["depth"] for row in rows]),
        "mode": points([modes.index(row["mode"]) for row in rows]),
        "wait": points([row["wait"] for row in rows]),
        "throughput": points([row["throughput"] for row in rows]),
        "review": points([row["to_review"] for row in rows]),
        "debt": points([row["debt"] for row in rows]),
    }


def _read_samples() -> list[dict[str, Any]]:
    try:
        with connection():
            return load_samples.samples(SPARK_MINUTES, SPARK_POINTS)
    except peewee.PeeweeException:
        return []


def points(values: Sequence[float]) -> str:
    """The points of an SVG polyline in a box of 100 by 20; a constant is drawn at the bottom."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    height = (high - low) or 1.0
    step = 100 / (len(values) - 1)
    return " ".join(
        f"{i * step:.1f},{19 - 18 * (value - low) / height:.1f}" for i, value in enumerate(values)
    )


def charts(name: str) -> dict[str, Any]:
    """The series of the two charts for a range, as columns for uPlot."""
    return _cache.get_or(name, 5.0, lambda: _read_charts(name))


def _read_charts(name: str) -> dict[str, Any]:
    minutes = RANGES[name]
    rows = load_samples.samples(minutes)
    at, verdicts = _bars(history.read(history.SPANS[name]))
    until = time.time()
    return {
        "range": name,
        "from": until - minutes * 60,
        "until": until,
        "at": [row["at"] for row in rows],
        "depth": [row["depth_max"] for row in rows],
        "mode": [row["mode"] for row in rows],
        "bars_at": at,
        "verdicts": verdicts,
    }


def _bars(series: History) -> tuple[list[float], dict[str, list[int]]]:
    """The center of each bar, and the machine's first verdicts in it."""
    times, counts = list(series.points), list(series.points.values())
    middle = STEPS_PER_BAR * series.span.seconds / 2
    groups = [total(counts[i : i + STEPS_PER_BAR]) for i in range(0, len(counts), STEPS_PER_BAR)]
    verdicts = {name: [group.of("verdict", name) for group in groups] for name in VERDICTS}
    return [at + middle for at in times[::STEPS_PER_BAR]], verdicts


def open_alerts() -> list[Alert]:
    """The open alerts; while the database is down, those that were read last."""
    return _cache.get_or("alerts", 1.0, _read_alerts)


def _read_alerts() -> list[Alert]:
    try:
        with connection():
            return Alert.open()
    except peewee.PeeweeException:
        cached: list[Alert] = _cache.get("alerts", (0.0, []))[1]
        return cached


def alerts(current: dict[str, Any], opened: Sequence[Alert]) -> list[dict[str, str]]:
    """The parts that are near a limit or down and have no open alert, the worst first."""
    covered = {row.known.part for row in opened if row.known}
    parts = [p for p in current["health"] if p["state"] != "ok" and p["name"] not in covered]
    return sorted(parts, key=lambda part: part["state"] != "down")


def context(current: dict[str, Any] | None = None) -> dict[str, Any]:
    """The values of the dashboard's and the strip's templates."""
    current = current or snapshot()
    scaled = current["scaled"]
    opened = open_alerts()
    return {
        "load": current,
        "scaled": scaled and {**scaled, "at": datetime.fromtimestamp(scaled["at"], UTC)},
        "mode": current["current_mode"],
        "mode_word": MODES[current["current_mode"]],
        "mode_since": datetime.fromtimestamp(current["mode_since"], UTC),
        "load_numbers": tiles.numbers(current),
        "tiles": tiles.tiles(current),
        "sparks": sparks(),
        "alerts": alerts(current, opened),
        "open_alerts": opened,
        "dead": _dead(),
        **adaptive_limit.context(),
        **waiting_clients.context(),
    }


def _dead() -> str:
    """The number of dead deliveries; empty if there is none."""
    return _cache.get_or("dead", 5.0, _count_dead)


def _count_dead() -> str:
    try:
        with connection():
            count = Delivery.count_dead()
    except peewee.PeeweeException:
        return ""
    return f"{count:,}" if count else ""


def fragments(app: Flask) -> dict[str, str]:
    """Every live fragment by the name of its event."""
    values = context()

    def render(template: str, **more: Any) -> str:
        with app.app_context():
            return app.jinja_env.get_template(template).render(**values, **more).strip()

    rendered = {
        "mode": render("layout/_mode.html"),
        "strip": render("layout/_strip.html"),
        "to-review": values["load_numbers"]["to_review"],
        "dead": render("deliveries/_dead.html"),
        "alerts": render("dashboard/_alerts.html"),
        "alert-strip": render("alerts/_now.html", most=IN_STRIP),
        "alert-list": render("alerts/_now.html", most=IN_LIST),
        "alert-count": render("alerts/_count.html"),
        "workers": render("dashboard/_workers.html"),
        "health": render("dashboard/_health.html"),
        "adaptive-limit": render("dashboard/_adaptive_limit.html"),
        "waiting-clients": render("dashboard/_waiting_clients.html"),
        "charts": str(int(time.time() // 10)),
    }
    for tile in values["tiles"]:
        rendered[f"tile-{tile.name}"] = render("dashboard/_tile.html", tile=tile)
        rendered[f"spark-{tile.name}"] = render("dashboard/_spark.html", tile=tile)
    return rendered
