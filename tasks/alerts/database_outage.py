"""The one alert that no row can hold while it lasts: PostgreSQL is away.

A file stands for the row meanwhile. When PostgreSQL is back the row is written, with who has been
told, and the rule ends it like any other.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection
from typing import Any

from models.alerts import alert
from models.alerts.evaluate import Alarm
from models.alerts.rules import BY_NAME
from models.settings import Settings
from tasks.servers.layout import write


class Outage:
    """Since when PostgreSQL is away, and which channels have been told."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.sluice_home / "database-away.json"
        self._after = settings.alert_after
        self._since: float | None = None
        self._lock = threading.Lock()

    def is_noted(self) -> bool:
        """Whether there was an outage that is not over yet."""
        self._since = None
        return self._path.exists()

    def lasts(self, channels: Collection[str]) -> list[str]:
        """PostgreSQL does not answer; returns the channels that are to be told of it now."""
        if self._path.exists():
            return []
        self._since = self._since or time.time()
        if time.time() - self._since < self._after:
            return []
        self._write({"since": self._since, "told": []})
        return list(channels)

    def told(self, channel: str) -> None:
        """A channel has been told."""
        with self._lock:
            noted = self._read()
            if noted is not None:
                self._write({**noted, "told": [*noted["told"], channel]})

    def over(self, channels: Collection[str]) -> None:
        """PostgreSQL is back: write the row, then forget the file.

        Killed between the two, it finds the row open the next time and adds none.
        """
        with self._lock:
            noted = self._read() or {"since": time.time(), "told": []}
            rule = BY_NAME["database"]
            lasted = max(0.0, time.time() - noted["since"])
            alarm = Alarm(rule, 1.0, 0.0, rule.say(1))
            alert.store_earlier(alarm, lasted, noted["told"], channels)
            self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def _write(self, noted: dict[str, Any]) -> None:
        write(self._path, json.dumps(noted) + "\n")
