"""The six numbers at the top of the dashboard, and those of the strip on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webapp.console.shared import formatting

MODES = {"sync": "Sync", "async": "Async", "fast_track": "Fast-track", "direct": "Direct"}
DATABASE = "PostgreSQL"  # the part of the health
UNKNOWN = "unknown"  # a number whose server does not respond; zero would be a claim


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the six numbers at the top of the dashboard."""

    name: str
    label: str
    value: str
    unit: str
    note: str
    tone: str


def tiles(current: dict[str, Any]) -> list[Tile]:
    """The six numbers."""
    mode, known = current["current_mode"], numbers(current)
    return [
        Tile("depth", "Queue depth", known["depth"], "", _depth_note(current), "accent"),
        Tile("mode", "Mode", MODES[mode], "", current["mode_why"], mode),
        Tile("wait", "Estimated wait", *_wait(current), "for a new upload", "accent"),
        _throughput(current),
        Tile("review", "To review", known["to_review"], "", _review_note(current), "review"),
        Tile("debt", "Review debt", known["debt"], "", _debt_note(current), "quiet"),
    ]


def numbers(current: dict[str, Any]) -> dict[str, str]:
    """The numbers of the strip and the tiles as text; ``UNKNOWN`` while their server is down."""
    queue, database = current["queue_available"], _database_responds(current)
    wait, unit = _wait(current)
    return {
        "depth": f"{current['queue_depth']:,}" if queue else UNKNOWN,
        "wait": f"{wait} {unit}".strip(),
        "to_review": f"{current['to_review']['all']:,}" if database else UNKNOWN,
        "debt": f"{current['queues']['review_debt']:,}" if database else UNKNOWN,
    }


def _database_responds(current: dict[str, Any]) -> bool:
    down = [part["name"] for part in current["health"] if part["state"] == "down"]
    return DATABASE not in down


def _wait(current: dict[str, Any]) -> tuple[str, str]:
    if not current["queue_available"]:
        return UNKNOWN, ""
    return formatting.span(current["estimated_wait"])


def _depth_note(current: dict[str, Any]) -> str:
    if not current["queue_available"]:
        return "Redis does not respond"
    queues = current["queues"]
    return f"{queues['priority']:,} priority · {queues['normal']:,} normal"


def _throughput(current: dict[str, Any]) -> Tile:
    """Decisions per second are counted in the database, workers report to Redis."""
    rate = current["throughput"]
    value, unit = (f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"), "/s"
    if not _database_responds(current):
        value, unit = UNKNOWN, ""
    note = f"workers {UNKNOWN}"
    if current["queue_available"]:
        running = [worker for worker in current["workers"] if worker["state"] != "stale"]
        each = f" · {rate / len(running):.1f} /s each" if running and unit else ""
        note = f"{formatting.many(len(running), 'worker')}{each}"
    return Tile("throughput", "Throughput", value, unit, note, "accent")


def _review_note(current: dict[str, Any]) -> str:
    review = current["to_review"]
    if not _database_responds(current):
        return "the database does not respond"
    if not review["all"]:
        return "queue is empty"
    oldest = f"oldest {formatting.age(review['oldest'])} · " if review["oldest"] else ""
    return f"{oldest}{review['claimed']} claimed"


def _debt_note(current: dict[str, Any]) -> str:
    if not _database_responds(current):
        return "the database does not respond"
    owed = current["queues"]["review_debt"]
    return "passed fast rules, not checked yet" if owed else "all checks done"
