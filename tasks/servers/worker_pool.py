"""How many workers there shall be: the setting, or what `scale` said since."""

from __future__ import annotations

import json
from pathlib import Path

from models.settings import Settings
from tasks.servers.layout import write

POOLS = {"worker": "workers", "worker-priority": "priority_workers"}


def wanted(settings: Settings) -> dict[str, int]:
    """Members to run of each pool. What `scale` said holds until the setting itself changes."""
    said = _read(settings)
    sizes = {}
    for pool, setting in POOLS.items():
        value = getattr(settings, setting)
        entry = said.get(pool, {})
        sizes[pool] = entry["wanted"] if entry.get("setting") == value else value
    return {pool: min(size, bounds(settings, pool)[1]) for pool, size in sizes.items()}


def want(settings: Settings, pool: str, size: int) -> None:
    """Remember a number for the next `up`."""
    said = _read(settings)
    said[pool] = {"wanted": size, "setting": getattr(settings, POOLS[pool])}
    write(_path(settings), json.dumps(said) + "\n")


def bounds(settings: Settings, pool: str) -> tuple[int, int]:
    """Fewest and most members of a pool."""
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
