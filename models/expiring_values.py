"""Values of this process that are good for a short time, and are then read anew. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class ExpiringValues(dict[Any, tuple[float, Any]]):
    """Values by key, each with the time at which it was read (``time.monotonic``).

    Safe for many requests at once: when a value has expired, the first caller reads it anew. The
    others get the old value until then, for ``patience`` seconds at most; without that, all
    requests of a moment would read it together.
    """

    def __init__(self, patience: float = 1.0) -> None:
        super().__init__()
        self._patience = patience
        self._reading: set[Any] = set()

    def get_or(self, key: Any, seconds: float, read: Callable[[], T]) -> T:
        """The value if it is younger than ``seconds``, else a new one."""
        at, value = self.get(key, (float("-inf"), None))
        age = time.monotonic() - at
        if age < seconds or (key in self._reading and age < seconds + self._patience):
            result: T = value
            return result
        self._reading.add(key)
        try:
            result = read()
        finally:
            self._reading.discard(key)
        self[key] = (time.monotonic(), result)
        return result
