"""Heartbeats: what each worker process tells of itself, in Redis, every two seconds."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from typing import Any

import psutil
import redis

from tasks.queue import client, settings

KEY = "sluice:worker:"
HOST = socket.gethostname()
HOME = hashlib.sha256(os.fsencode(settings.sluice_home)).hexdigest()[:8]  # two may share a host
EVERY = 2.0
FORGOTTEN_AFTER = 15
_DECAY = 0.1  # weight of the newest job in the mean time of a job


class Heart:
    """Counts this process's jobs and beats in a thread of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = f"{KEY}{HOST}:{HOME}:{name}"  # each home has a worker_00
        self.state = "starting"
        self.processed = self.errors = 0
        self.classifier_down = ""  # why the network cannot be asked, in words
        self._seconds_a_job = 0.0
        self._busy_since: float | None = None
        self._busy = self._busy_told = 0.0
        self._told = self._started = time.monotonic()
        self._process = psutil.Process()

    def start(self) -> None:
        """Begin to beat."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def begin(self) -> None:
        """A job has begun."""
        self.state, self._busy_since = "busy", time.monotonic()

    def end(self, *, failed: bool = False) -> None:
        """The job has ended."""
        seconds = time.monotonic() - (self._busy_since or time.monotonic())
        self._busy += seconds
        self._busy_since = None
        self.state = "idle"
        self.processed += 1
        self.errors += failed
        mean = self._seconds_a_job or seconds
        self._seconds_a_job = mean + _DECAY * (seconds - mean)

    def _run(self) -> None:
        while True:
            self.beat()
            time.sleep(EVERY)

    def beat(self) -> None:
        """Tell Redis once; where it is away, the next beat will do."""
        try:
            client.set(self.key, json.dumps(self.told()), ex=FORGOTTEN_AFTER)
        except redis.RedisError:
            return

    def told(self) -> dict[str, Any]:
        """What is told: rates in jobs a second of busy time, load from 0 to 1, memory in bytes."""
        now = time.monotonic()
        busy = self._busy + (now - self._busy_since if self._busy_since else 0.0)
        load = (busy - self._busy_told) / max(now - self._told, 0.001)
        self._busy_told, self._told = busy, now
        return {
            "name": self.name,
            "host": HOST,
            "home": HOME,
            "pid": os.getpid(),
            "state": self.state,
            "processed": self.processed,
            "errors": self.errors,
            "jobs_per_second": round(1 / self._seconds_a_job, 2) if self._seconds_a_job else 0.0,
            "load": round(min(load, 1.0), 3),
            "classifier_down": self.classifier_down,
            "memory": self._process.memory_info().rss,
            "at": time.time(),
        }


def is_ours(beat: dict[str, Any]) -> bool:
    """Whether this stack's supervisor runs that worker; others may share its Redis."""
    return (beat["host"], beat["home"]) == (HOST, HOME)


def workers() -> list[dict[str, Any]]:
    """The last heartbeat of every worker; raises redis.RedisError where Redis is away."""
    keys = sorted(client.scan_iter(match=KEY + "*", count=1000))
    values: Any = client.mget(keys) if keys else []
    return [json.loads(value) for value in values if value]
