"""The stack's lock: `up`, `down` and `scale` of the same stack wait for each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from models.settings import Settings


@contextmanager
def stack_lock(settings: Settings) -> Iterator[None]:
    """Hold the stack's lock; the kernel releases it when the process ends, even by a crash."""
    handle = os.open(settings.sluice_home / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
