"""The settings of this process: set once by its entry point, read by everything below it.

The entry points are `create_app(settings)`, the start of a worker and of the standby, and the
`main` of each script. Nothing reads the environment at import, so a module may be imported
anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from models.settings.settings import Settings

T = TypeVar("T")
_current: Settings | None = None


def use_settings(settings: Settings) -> Settings:
    """Make these the settings of this process; returns them."""
    global _current
    _current = settings
    return settings


def get_settings() -> Settings:
    """The settings of this process; raises RuntimeError if its entry point has set none."""
    if _current is None:
        raise RuntimeError("this process has no settings: its entry point calls use_settings()")
    return _current


def per_process(make: Callable[[Settings], T]) -> Callable[[], T]:
    """An object that a process makes once from its settings, when it is first asked for.

    Safe with threads: 1. who finds the object made for the current settings returns it without
    the lock; 2. everyone else takes the lock and looks again, so it is made once; 3. if the
    process gets other settings (tests do that), it is made anew.
    """
    lock = threading.Lock()
    made: tuple[Settings, T] | None = None

    def get() -> T:
        nonlocal made
        settings = get_settings()
        existing = made
        if existing is None or existing[0] is not settings:
            with lock:
                if made is None or made[0] is not settings:
                    made = (settings, make(settings))
                existing = made
        return existing[1]

    return get
