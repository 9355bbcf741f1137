"""The standby's duty after the undo of a block: send what the undo has left back to the checks."""

from __future__ import annotations

import logging
import threading

from models.review import followers
from models.settings import get_settings

log = logging.getLogger("sluice.undone_blocks")


def recheck(stop: threading.Event) -> int:
    """All of them, in batches; returns their number. The undo itself takes the first batch."""
    total = 0
    while not stop.is_set() and (count := followers.recheck_left(get_settings())):
        total += count
    if total:
        log.info("%d uploads go back to the checks: the block that rejected them is undone", total)
    return total
