"""The statistics' duties: what happened is counted, and raw rows that are past their days go."""

from __future__ import annotations

import threading

from models.settings import get_settings
from models.statistics import rollup

EVERY = 10.0  # seconds between two counts; the charts are as old at most


def count(stop: threading.Event) -> None:
    """Count what was committed since the last time, an hour of a long backlog at a time."""
    while rollup.count(get_settings().stats_raw_days) and not stop.is_set():
        pass


def keep() -> None:
    """Make room for the raw rows of the next days, let go what is older, roll up the load."""
    rollup.keep_raw(get_settings().stats_raw_days)
    rollup.roll_up_load()
