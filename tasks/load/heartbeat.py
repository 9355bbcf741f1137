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

from models.capacity.wait_estimate import Pace
from models.settings import Settings, per_process
from tasks.queue.lanes import get_redis

KEY = "sluice:worker:"
HOST = socket.gethostname()
EVERY = 2.0
FORGOTTEN_AFTER = 15
LOOK = 0.5  # seconds between two looks at the pace
CHANGED = 0.15  # share of the told pace; one that changed by more is told at once
SHORT = 0.05  # seconds between two jobs that are the way from one to the next, and no rest


def _home(settings: Settings) -> str:
    return hashlib.sha256(os.fsencode(settings.sluice_home)).hexdigest()[:8]


home = per_process(_home)  # names this SLUICE_HOME: two of them may share a host


class Heart:
    """Counts this process's jobs and beats in a thread of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = f"{KEY}{HOST}:{home()}:{name}"  # each home has a worker_00
        self.state = "starting"
        self.processed = self.errors = 0
        self.classifier_down = ""  # why the network cannot be asked, in words
        self._pace = Pace()
        self._measured = (0, 0.0)  # jobs and busy seconds that the pace knows of
        self._told_pace = 0.0
        self._ended = -1.0
        self._busy_since: float | None = None
        self._busy = self._busy_told = 0.0
        self._told = self._started = time.monotonic()
        self._process = psutil.Process()

    def start(self) -> None:
        """Begin to beat."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def begin(self) -> None:
        """A job has begun; where the last one ended just now, its way here is part of it."""
        now = time.monotonic()
        self.state = "busy"
        self._busy_since = self._ended if now - self._ended < SHORT else now

    def end(self, *, failed: bool = False, jobs: int = 1) -> None:
        """The job has ended, or the jobs that were done together."""
        self._ended = time.monotonic()
        self._busy += self._ended - (self._busy_since or self._ended)
        self._busy_since = None
        self.state = "idle"
        self.did(jobs)
        self.errors += failed

    def did(self, jobs: int) -> None:
        """So many jobs are done, of those that are at work."""
        self.processed += jobs

    def _run(self) -> None:
        while True:
            self._measure()
            changed = abs(self._pace.rate - self._told_pace) > CHANGED * self._told_pace
            if changed or time.monotonic() - self._told >= EVERY - LOOK / 2:
                self.beat()
            time.sleep(LOOK)

    def _measure(self) -> None:
        """Take what was done since the last look into the pace."""
        jobs, busy = self.processed, self._busy_until_now(time.monotonic())
        self._pace.add(jobs - self._measured[0], max(0.0, busy - self._measured[1]))
        self._measured = jobs, busy

    def _busy_until_now(self, now: float) -> float:
        since = self._busy_since
        return self._busy + (now - since if since else 0.0)

    def beat(self) -> None:
        """Tell Redis once; where it is away, the next beat will do."""
        try:
            get_redis().set(self.key, json.dumps(self.told()), ex=FORGOTTEN_AFTER)
        except redis.RedisError:
            return

    def told(self) -> dict[str, Any]:
        """What is told: rates in jobs a second of busy time, load from 0 to 1, memory in bytes."""
        now = time.monotonic()
        busy = self._busy_until_now(now)
        load = (busy - self._busy_told) / max(now - self._told, 0.001)
        self._busy_told, self._told, self._told_pace = busy, now, self._pace.rate
        return {
            "name": self.name,
            "host": HOST,
            "home": home(),
            "pid": os.getpid(),
            "state": self.state,
            "processed": self.processed,
            "errors": self.errors,
            "lanes": os.environ.get("SLUICE_LANES", ""),
            "jobs_per_second": round(self._told_pace, 2),
            "load": round(min(load, 1.0), 3),
            "classifier_down": self.classifier_down,
            "memory": self._process.memory_info().rss,
            "at": time.time(),
        }


def is_ours(beat: dict[str, Any]) -> bool:
    """Whether this stack's supervisor runs that worker; others may share its Redis."""
    return (beat["host"], beat["home"]) == (HOST, home())


def workers() -> list[dict[str, Any]]:
    """The last heartbeat of every worker; raises redis.RedisError where Redis is away."""
    keys = sorted(get_redis().scan_iter(match=KEY + "*", count=1000))
    values: Any = get_redis().mget(keys) if keys else []
    return [json.loads(value) for value in values if value]
