"""Whether this process makes progress: what it expects to end, and until when.

A process that hangs still holds its port, so that the port says nothing. Kubernetes and Compose
ask ``/healthz`` at METRICS_LISTEN, which answers by ``overdue()``. Kubernetes restarts a container
that is stuck, Compose shows it as unhealthy.

Safe with threads: each change is one operation of a dict, and a reader takes a copy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_until: dict[str, float] = {}  # by name: when it must have ended, in monotonic seconds


def expect(name: str, seconds: float) -> None:
    """Expect the next sign of progress of ``name`` within ``seconds``."""
    _until[name] = time.monotonic() + seconds


def done(name: str) -> None:
    """Nothing is expected of ``name`` any more."""
    _until.pop(name, None)


@contextmanager
def expected(name: str, seconds: float) -> Iterator[None]:
    """Expect the block to end within ``seconds``; 0 expects nothing."""
    if seconds:
        expect(name, seconds)
    try:
        yield
    finally:
        done(name)


def overdue() -> list[str]:
    """The names whose progress is overdue; empty while the process is well."""
    now = time.monotonic()
    return sorted(name for name, until in list(_until.items()) if until < now)
