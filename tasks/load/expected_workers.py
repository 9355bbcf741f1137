"""The workers that there shall be, and those that are not heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.settings import get_settings
from tasks.load.heartbeat import is_ours
from tasks.servers import worker_pool


def expected() -> int | None:
    """How many workers this stack's supervisor shall run; None where there is no supervisor."""
    if not (get_settings().run / "supervisord.pid").exists():
        return None
    return sum(worker_pool.wanted(get_settings()).values())


def missing(beats: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """How many workers are missing among these heartbeats, and a sentence.

    Where something else than our supervisor starts the workers, fewer than MIN_WORKERS of them on
    all hosts together are too few.
    """
    heard = [beat for beat in beats if beat["state"] != "stale"]
    wanted = expected()
    if wanted is None:
        wanted = get_settings().min_workers
    else:
        heard = [beat for beat in heard if is_ours(beat)]
    number = max(0, wanted - len(heard))
    return number, f"{len(heard)} of {wanted} workers are heard."
