"""Expected and missing workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.settings import get_settings
from tasks.load.heartbeat import is_ours
from tasks.servers import worker_pool


def expected() -> int | None:
    """How many workers this stack's supervisor should run; None without a supervisor."""
    if not (get_settings().run / "supervisord.pid").exists():
        return None
    return sum(worker_pool.sizes(get_settings()).values())


def missing(beats: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """How many workers are missing among these heartbeats, and a sentence about it.

    If something other than our supervisor starts the workers, MIN_WORKERS are expected on all hosts
    together.
    """
    online = [beat for beat in beats if beat["state"] != "stale"]
    number = expected()
    if number is None:
        number = get_settings().min_workers
    else:
        online = [beat for beat in online if is_ours(beat)]
    return max(0, number - len(online)), f"{len(online)} of {number} workers online."
