"""The configured number of workers: the setting, or the last `scale` since."""

from __future__ import annotations

import json
from pathlib import Path

from models.settings import Settings
from tasks.servers.layout import write

POOLS = {"worker": "workers", "worker-priority": "priority_workers"}


def sizes(settings: Settings) -> dict[str, int]:
    """Members to run of each pool. A `scale` holds until the setting itself changes."""
    stored = _read(settings)
    result = {}
    for pool, setting in POOLS.items():
        value = getattr(settings, setting)
        entry = stored.get(pool, {})
        result[pool] = entry["wanted"] if entry.get("setting") == value else value
    return {pool: min(size, bounds(settings, pool)[1]) for pool, size in result.items()}


def store(settings: Settings, pool: str, size: int) -> None:
    """Store a size for the next `up`."""
    stored = _read(settings)
    stored[pool] = {"wanted": size, "setting": getattr(settings, POOLS[pool])}
    write(_path(settings), json.dumps(stored) + "\n")


def bounds(settings: Settings, pool: str) -> tuple[int, int]:
    """The smallest and the largest size of a pool."""
    if pool == "worker":
        return settings.min_workers, settings.max_workers
    return 0, settings.max_priority_workers


def _read(settings: Settings) -> dict[str, dict[str, int]]:
    try:
        return json.loads(_path(settings).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _path(settings: Settings) -> Path:
    return settings.sluice_home / "etc" / "scale.json"
