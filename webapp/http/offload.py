"""Runs calls that would block gevent's loop (fsync, argon2) in its pool of real threads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def offload(call: Callable[..., T], *args: Any) -> T:
    """Run the call in a real thread if gevent runs this process, otherwise in this thread."""
    return begin(call, *args)()


def begin(call: Callable[..., T], *args: Any) -> Callable[[], T]:
    """Start the call; return a function that waits for it and returns or raises its outcome.

    Without gevent, the returned function makes the call.
    """
    gevent = sys.modules.get("gevent")
    monkey = sys.modules.get("gevent.monkey")
    if gevent is None or monkey is None or not monkey.is_module_patched("socket"):
        return lambda: call(*args)
    outcome: Callable[[], T] = gevent.get_hub().threadpool.spawn(call, *args).get
    return outcome
