"""What the dashboard and the strip on every page show, made from the load. The live fragments."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import peewee
from flask import Flask

from models.alerts.alert import Alert
from models.database.connection import connection
from models.statistics import history, load_samples
from models.statistics.counters import total
from models.statistics.history import History
from models.verdict import VERDICTS
from models.webhooks.delivery import Delivery
from tasks.load import snapshot as load
from webapp.console.dashboard import adaptive_limits
from webapp.console.shared import formatting

RANGES = {
    "hour": 60,
    "day": 24 * 60,
    "week": 7 * 24 * 60,
    "month": 30 * 24 * 60,
    "year": 364 * 24 * 60,
}
STEPS_A_BAR = 2
MODES = {"sync": "Sync", "async": "Async", "fast_track": "Fast-track", "direct": "Direct"}
IN_STRIP, IN_LIST = 3, 99  # alerts on the dashboard, and on their own page
SPARK_MINUTES, SPARK_POINTS = 60, 40
NOTHING: dict[str, Any] = {
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
    "health": [{"name": "Load", "state": "down", "detail": "cannot be read"}],
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the six numbers on top of the dashboard."""

    name: str
    label: str
    value: str
    unit: str
    note: str
    tone: str


_kept = load.Kept()


def snapshot() -> dict[str, Any]:
    """The load, or one that says that it cannot be read."""
    try:
        told: dict[str, Any] = load.snapshot()
    except peewee.PeeweeException:
        return NOTHING
    return told


def tiles(told: dict[str, Any]) -> list[Tile]:
    """The six numbers."""
    queues, review, mode = told["queues"], told["to_review"], told["current_mode"]
    running = [worker for worker in told["workers"] if worker["state"] != "stale"]
    rate = told["throughput"]
    each = f" · {rate / len(running):.1f} /s each" if running else ""
    oldest = f"oldest {formatting.age(review['oldest'])} · " if review["oldest"] else ""
    wait, unit = formatting.span(told["estimated_wait"])
    depth_note = f"{queues['priority']:,} priority · {queues['normal']:,} normal"
    debt_note = "let through, not yet checked" if queues["review_debt"] else "nothing unchecked"
    return [
        Tile("depth", "Queue depth", f"{told['queue_depth']:,}", "", depth_note, "accent"),
        Tile("mode", "Mode", MODES[mode], "", told["mode_why"], mode),
        Tile("wait", "Estimated wait", wait, unit, "for what arrives now", "accent"),
        Tile(
            "throughput",
            "Throughput",
            f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}",
            "/s",
            f"{formatting.many(len(running), 'worker')}{each}",
            "accent",
        ),
        Tile(
            "review",
            "To review",
            f"{review['all']:,}",
            "",
            f"{oldest}{review['claimed']} claimed" if review["all"] else "nobody is waiting",
            "review",
        ),
        Tile("debt", "Review debt", f"{queues['review_debt']:,}", "", debt_note, "quiet"),
    ]


def sparks() -> dict[str, str]:
    """The points of the six lines, by tile, over the last hour."""
    rows = _kept.get_or("samples", 10.0, _read_samples)
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
    """An SVG polyline's points in a box of 100 by 20; a flat line lies at the bottom."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    height = (high - low) or 1.0
    step = 100 / (len(values) - 1)
    return " ".join(
        f"{i * step:.1f},{19 - 18 * (value - low) / height:.1f}" for i, value in enumerate(values)
    )


def charts(name: str) -> dict[str, Any]:
    """The series of the two charts for a range: columns as uPlot wants them."""
    return _kept.get_or(name, 5.0, lambda: _read_charts(name))


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


def _bars(known: History) -> tuple[list[float], dict[str, list[int]]]:
    """The middles of the bars, and the machine's first verdicts in each."""
    times, counts = list(known.points), list(known.points.values())
    middle = STEPS_A_BAR * known.span.seconds / 2
    groups = [total(counts[i : i + STEPS_A_BAR]) for i in range(0, len(counts), STEPS_A_BAR)]
    verdicts = {name: [group.of("verdict", name) for group in groups] for name in VERDICTS}
    return [at + middle for at in times[::STEPS_A_BAR]], verdicts


def open_alerts() -> list[Alert]:
    """The alerts that speak now; while the database is away, those that were known last."""
    return _kept.get_or("alerts", 1.0, _read_alerts)


def _read_alerts() -> list[Alert]:
    try:
        with connection():
            return Alert.open()
    except peewee.PeeweeException:
        known: list[Alert] = _kept.get("alerts", (0.0, []))[1]
        return known


def alerts(told: dict[str, Any], spoken: Sequence[Alert]) -> list[dict[str, str]]:
    """The parts that are near a limit or down and that no alert speaks of, the worst first."""
    known = {row.known.part for row in spoken if row.known}
    found = [p for p in told["health"] if p["state"] != "ok" and p["name"] not in known]
    return sorted(found, key=lambda part: part["state"] != "down")


def context(told: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the dashboard's and the strip's templates want."""
    told = told or snapshot()
    wait, unit = formatting.span(told["estimated_wait"])
    scaled = told["scaled"]
    spoken = open_alerts()
    return {
        "load": told,
        "scaled": scaled and {**scaled, "at": datetime.fromtimestamp(scaled["at"], UTC)},
        "mode": told["current_mode"],
        "mode_word": MODES[told["current_mode"]],
        "mode_since": datetime.fromtimestamp(told["mode_since"], UTC),
        "wait": f"{wait} {unit}",
        "tiles": tiles(told),
        "sparks": sparks(),
        "alerts": alerts(told, spoken),
        "open_alerts": spoken,
        "dead": _dead(),
        **adaptive_limits.context(),
    }


def _dead() -> str:
    """How many deliveries were given up; nothing where there is none."""
    return _kept.get_or("dead", 5.0, _count_dead)


def _count_dead() -> str:
    try:
        with connection():
            count = Delivery.count_dead()
    except peewee.PeeweeException:
        return ""
    return f"{count:,}" if count else ""


def fragments(app: Flask) -> dict[str, str]:
    """Every live fragment by the name of its event."""
    known = context()

    def render(template: str, **more: Any) -> str:
        with app.app_context():
            return app.jinja_env.get_template(template).render(**known, **more).strip()

    made = {
        "mode": render("layout/_mode.html"),
        "strip": render("layout/_strip.html"),
        "to-review": f"{known['load']['to_review']['all']:,}",
        "dead": render("deliveries/_dead.html"),
        "alerts": render("dashboard/_alerts.html"),
        "alert-strip": render("alerts/_now.html", most=IN_STRIP),
        "alert-list": render("alerts/_now.html", most=IN_LIST),
        "alert-count": render("alerts/_count.html"),
        "workers": render("dashboard/_workers.html"),
        "health": render("dashboard/_health.html"),
        "pressure": render("dashboard/_pressure.html"),
        "charts": str(int(time.time() // 10)),
    }
    for tile in known["tiles"]:
        made[f"tile-{tile.name}"] = render("dashboard/_tile.html", tile=tile)
        made[f"spark-{tile.name}"] = render("dashboard/_spark.html", tile=tile)
    return made
