"""Heartbeats: each worker process reports its state to Redis every two seconds."""

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
from models.settings import Settings, get_settings, per_process
from tasks.load import liveness
from tasks.queue.lanes import get_redis

KEY = "sluice:worker:"
HOST = socket.gethostname()
EVERY = 2.0  # seconds
EXPIRY = 15  # seconds
MEASURE_EVERY = 0.5  # seconds between two measurements of the pace
CHANGED = 0.15  # share of the reported pace; a larger change is reported at once
JOB = "job"  # what the liveness probe calls a worker's job
JOB_GRACE = 120.0  # seconds beyond PROCESSING_TIMEOUT until a job counts as stuck
LONGEST_BEAT = 60.0  # seconds until the heartbeat's thread counts as stuck
SHORT_GAP = 0.05  # seconds; a shorter gap between two jobs counts as busy time


def _home(settings: Settings) -> str:
    return hashlib.sha256(os.fsencode(settings.sluice_home)).hexdigest()[:8]


home = per_process(_home)  # identifies this SLUICE_HOME: a host may have several


class Heartbeat:
    """Counts this process's jobs and reports them from its own thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = f"{KEY}{HOST}:{home()}:{name}"  # each home has a worker_00
        self.state = "starting"
        self.processed = self.errors = 0
        self.classifier_down = ""  # why the network does not answer, in words
        self.decoder_down = ""  # why the decoder does not start, in words
        self.decoder_unconfined: str | None = (
            None  # what the kernel lacks; None until it has started
        )
        self._pace = Pace()
        self._measured = (0, 0.0)  # jobs and busy seconds that are in the pace
        self._reported_pace = 0.0
        self._ended = -1.0
        self._busy_since: float | None = None
        self._busy = self._busy_reported = 0.0
        self._reported = self._started = time.monotonic()
        self._process = psutil.Process()

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def begin(self) -> None:
        """A job has begun; a short gap since the last job counts as busy time."""
        now = time.monotonic()
        self.state = "busy"
        self._expect_progress()
        self._busy_since = self._ended if now - self._ended < SHORT_GAP else now

    def end(self, *, failed: bool = False, jobs: int = 1) -> None:
        """The job, or the batch of jobs, has ended."""
        self._ended = time.monotonic()
        self._busy += self._ended - (self._busy_since or self._ended)
        self._busy_since = None
        self.state = "idle"
        self.count(jobs)
        self.errors += failed
        liveness.done(JOB)

    def count(self, jobs: int) -> None:
        """Count completed jobs of a batch that is still running."""
        self.processed += jobs
        if self._busy_since is not None:  # a commit may be counted after the job's end
            self._expect_progress()

    def _expect_progress(self) -> None:
        liveness.expect(JOB, get_settings().processing_timeout + JOB_GRACE)

    def _run(self) -> None:
        while True:
            liveness.expect("heartbeat", LONGEST_BEAT)
            self._measure()
            changed = abs(self._pace.rate - self._reported_pace) > CHANGED * self._reported_pace
            if changed or time.monotonic() - self._reported >= EVERY - MEASURE_EVERY / 2:
                self.beat()
            time.sleep(MEASURE_EVERY)

    def _measure(self) -> None:
        """Add the work since the last measurement to the pace."""
        jobs, busy = self.processed, self._busy_until_now(time.monotonic())
        self._pace.add(jobs - self._measured[0], max(0.0, busy - self._measured[1]))
        self._measured = jobs, busy

    def _busy_until_now(self, now: float) -> float:
        since = self._busy_since
        return self._busy + (now - since if since else 0.0)

    def beat(self) -> None:
        """Report to Redis once; while Redis is down the beat is skipped."""
        try:
            get_redis().set(self.key, json.dumps(self.report()), ex=EXPIRY)
        except redis.RedisError:
            return

    def report(self) -> dict[str, Any]:
        """The report: rates in jobs per second of busy time, load from 0 to 1, memory in bytes."""
        now = time.monotonic()
        busy = self._busy_until_now(now)
        load = (busy - self._busy_reported) / max(now - self._reported, 0.001)
        self._busy_reported, self._reported, self._reported_pace = busy, now, self._pace.rate
        return {
            "name": self.name,
            "host": HOST,
            "home": home(),
            "pid": os.getpid(),
            "state": self.state,
            "processed": self.processed,
            "errors": self.errors,
            "lanes": os.environ.get("SLUICE_LANES", ""),
            "jobs_per_second": round(self._reported_pace, 2),
            "load": round(min(load, 1.0), 3),
            "classifier_down": self.classifier_down,
            "decoder_down": self.decoder_down,
            "decoder_unconfined": self.decoder_unconfined,
            "memory": self._process.memory_info().rss,
            "at": time.time(),
        }


def is_ours(beat: dict[str, Any]) -> bool:
    """Whether this stack's supervisor runs that worker; other stacks may share its Redis."""
    return (beat["host"], beat["home"]) == (HOST, home())


def workers() -> list[dict[str, Any]]:
    """The last heartbeat of every worker; raises redis.RedisError."""
    keys = sorted(get_redis().scan_iter(match=KEY + "*", count=1000))
    values: Any = get_redis().mget(keys) if keys else []
    return [json.loads(value) for value in values if value]
