"""The alert that PostgreSQL is down, which cannot be stored in PostgreSQL while it lasts.

During the outage it is stored in a file. When PostgreSQL is up again, the row is written with the
channels that were notified, and the rule ends it like any other alert.
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
    """Since when PostgreSQL is down, and which channels were notified."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.sluice_home / "database-away.json"
        self._after = settings.alert_after
        self._since: float | None = None
        self._lock = threading.Lock()

    def is_recorded(self) -> bool:
        """Whether the file records an outage that is not ended yet."""
        self._since = None
        return self._path.exists()

    def continues(self, channels: Collection[str]) -> list[str]:
        """PostgreSQL does not answer; returns the channels to notify now."""
        if self._path.exists():
            return []
        self._since = self._since or time.time()
        if time.time() - self._since < self._after:
            return []
        self._write({"since": self._since, "told": []})
        return list(channels)

    def reported(self, channel: str) -> None:
        """Record that a channel was notified."""
        with self._lock:
            outage = self._read()
            if outage is not None:
                self._write({**outage, "told": [*outage["told"], channel]})

    def end(self, channels: Collection[str]) -> None:
        """PostgreSQL is up again: write the row, then delete the file.

        If the process is killed in between, the next one finds the open row and adds none.
        """
        with self._lock:
            outage = self._read() or {"since": time.time(), "told": []}
            rule = BY_NAME["database"]
            lasted = max(0.0, time.time() - outage["since"])
            alarm = Alarm(rule, 1.0, 0.0, rule.say(1))
            alert.store_earlier(alarm, lasted, outage["told"], channels)
            self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def _write(self, outage: dict[str, Any]) -> None:
        write(self._path, json.dumps(outage) + "\n")
