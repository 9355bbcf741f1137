"""Calls that would hold gevent's loop (fsync, argon2) go to its pool of real threads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def offload(call: Callable[..., T], *args: Any) -> T:
    """Run the call in a real thread where gevent runs this process, else here."""
    return begin(call, *args)()


def begin(call: Callable[..., T], *args: Any) -> Callable[[], T]:
    """The same, without waiting for it: what is returned waits, and returns or raises the outcome.

    Where there is no gevent the call is made by that.
    """
    gevent = sys.modules.get("gevent")
    monkey = sys.modules.get("gevent.monkey")
    if gevent is None or monkey is None or not monkey.is_module_patched("socket"):
        return lambda: call(*args)
    outcome: Callable[[], T] = gevent.get_hub().threadpool.spawn(call, *args).get
    return outcome
