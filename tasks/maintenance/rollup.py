"""The standby's duties for the statistics: count events, and delete old raw rows."""

from __future__ import annotations

import threading

from models.settings import get_settings
from models.statistics import rollup

EVERY = 10.0  # seconds between two counts, and so the greatest age of the charts


def count(stop: threading.Event) -> None:
    """Count what was committed since the last count; a long backlog in steps of an hour."""
    while rollup.count(get_settings().stats_raw_days) and not stop.is_set():
        pass


def keep() -> None:
    """Make partitions for the next days, drop expired ones, and roll up the load samples."""
    rollup.keep_raw(get_settings().stats_raw_days)
    rollup.roll_up_load()
