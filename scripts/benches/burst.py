"""The burst: 10,000 uploads over 1,000 connections, and the result of each."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from models.settings import ROOT, Settings
from scripts._own_stack import Stack, stack
from scripts.benches.http import FIXTURE, Plan
from scripts.benches.load import drive, upload
from tasks.commands.capacity_planning import Flood

CLIENTS = 4
QUIET = 4.0  # seconds of the chart before the burst and after it
PATIENCE = 900.0  # seconds until all is decided
BY_DESIGN = (429, 503)
ROWS = """
SELECT s.id::text, s.status, s.review_owed, extract(epoch FROM s.decided_at)::float, (
    SELECT json_agg(json_build_array(d.from_verdict, d.to_verdict) ORDER BY d.id)
    FROM decision d WHERE d.submission_id = s.id AND d.moderator_id IS NULL)
FROM submission s
"""


@dataclass
class Burst:
    """The results: each upload's response, each row afterwards, and samples of the load.

    ``began`` and ``answered`` are epoch seconds of the first upload and the last response.
    """

    uploads: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    looks: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0

    @property
    def began(self) -> float:
        return min(one["at"] for one in self.uploads)

    @property
    def answered(self) -> float:
        return max(one["at"] + one.get("seconds", 0.0) for one in self.uploads)

    @property
    def drained(self) -> float:
        """The time when the queue and the review debt were empty."""
        last = [look["at"] for look in self.looks if look["depth"] or look["debt"]]
        return max(last, default=self.answered)

    @property
    def acknowledged(self) -> list[dict[str, Any]]:
        return [one for one in self.uploads if one["status"] in (200, 202)]

    @property
    def answers(self) -> Counter[str]:
        """The number of uploads per status; 0 is a connection closed without a response."""
        return Counter(str(one["status"]) for one in self.uploads)

    @property
    def errors(self) -> int:
        """The number of unexpected responses."""
        good = (200, 202, *BY_DESIGN)
        return sum(one["status"] not in good for one in self.uploads)

    @property
    def undecided(self) -> list[str]:
        """Acknowledged ids that are lost or not finished."""
        return [
            one["job_id"]
            for one in self.acknowledged
            if (row := self.rows.get(one["job_id"])) is None or row[0] != "decided" or row[1]
        ]

    @property
    def decided_twice(self) -> list[str]:
        """Ids with two first decisions; a later check of the debt records the old verdict."""
        return [
            job
            for job, row in self.rows.items()
            if sum(before is None for before, _ in row[3] or ()) != 1
        ]

    @property
    def waits(self) -> list[tuple[float, float, float]]:
        """(epoch seconds, estimated, actual) of each response with an estimated wait."""
        found = []
        for one in self.acknowledged:
            decided_at = self.rows[one["job_id"]][2] if one["job_id"] in self.rows else None
            if one["status"] == 202 and decided_at is not None:
                answered = one["at"] + one["seconds"]
                found.append((answered, one["estimated_wait"], max(0.0, decided_at - answered)))
        return sorted(found)

    @property
    def modes(self) -> list[tuple[str, float]]:
        """Each change of the mode as (mode, seconds since the burst began)."""
        found: list[tuple[str, float]] = []
        for look in self.looks:
            if not found or found[-1][0] != look["mode"]:
                found.append((look["mode"], max(0.0, look["at"] - self.began)))
        return found


def run(
    plan: Plan,
    sizes: Sequence[int],
    connections: int,
    name: str = "burst",
    heavy: int = 1,
    **settings: object,
) -> tuple[list[Burst], Settings]:
    """Run bursts of these sizes in sequence on a separate stack; returns them and its settings.

    The first client sends ``heavy`` uploads for each upload of the others.
    """
    with stack(plan.work / name, **settings) as server:
        keys = [*[server.key] * heavy, *(_client(server, number) for number in range(1, CLIENTS))]
        _warm_up(server, plan)
        return [_burst(server, plan, keys, size, connections) for size in sizes], server.settings


def _burst(server: Stack, plan: Plan, keys: list[str], size: int, connections: int) -> Burst:
    seen = Burst(connections=connections)
    with _watching(server, seen):
        time.sleep(QUIET)
        seen.uploads = _send(server, plan, keys, size, connections)
        _until_decided(server)
        time.sleep(QUIET)
    jobs = {one["job_id"] for one in seen.acknowledged}
    seen.rows = {row[0]: row[1:] for row in server.query(ROWS) if row[0] in jobs}
    return seen


def _client(server: Stack, number: int) -> str:
    key: str = json.loads(server.script("client", "create", f"Site {number}", "--json"))["key"]
    return key


def _warm_up(server: Stack, plan: Plan) -> None:
    """Send some uploads at a low rate, so that every worker has measured its rate."""
    jpeg = plan.picture.read_bytes()
    for make in (upload(server.key, text="A quiet day.", jpeg=jpeg), upload(server.key, text="x")):
        drive(server.settings.port, make, count=40, connections=4).require_success()
    time.sleep(3)


def _send(
    server: Stack, plan: Plan, keys: list[str], uploads: int, connections: int
) -> list[dict[str, Any]]:
    pictures = {"small": str(_small(plan)), "large": str(plan.picture)}
    reported = {"port": server.settings.port, "keys": keys, "pictures": pictures}
    client = "scripts.benches.burst_client"
    command = [sys.executable, "-m", "gevent.monkey", "--module", client]
    sent = subprocess.run(
        command,
        input=json.dumps({**reported, "uploads": uploads, "connections": connections}),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    if sent.returncode:
        raise RuntimeError(f"the burst's client failed: {sent.stderr.strip()[-500:]}")
    return [json.loads(line) for line in sent.stdout.splitlines()]


def _small(plan: Plan) -> Path:
    """A picture of some 12 KB."""
    path = plan.work / "small.jpg"
    if not path.exists():
        with Image.open(FIXTURE) as image:
            image.convert("RGB").resize((320, 320)).save(path, "JPEG", quality=80)
    return path


@contextmanager
def _watching(server: Stack, seen: Burst) -> Iterator[None]:
    """Sample the stack from another process during the block."""
    command = [sys.executable, "-m", "scripts.benches.burst_watch"]
    reported = server.settings.sluice_home / "burst.jsonl"
    with reported.open("w", encoding="utf-8") as file:
        watch = subprocess.Popen(command, stdout=file, env=server.environment, cwd=ROOT)
        try:
            yield
        finally:
            watch.terminate()
            watch.wait()
    seen.looks = [json.loads(line) for line in reported.read_text("utf-8").splitlines()]


def _until_decided(server: Stack) -> None:
    """Wait until the queue and the debt are empty and no worker is busy."""
    deadline = time.monotonic() + PATIENCE
    open_ones = "SELECT 1 FROM submission WHERE verdict IS NULL OR review_owed LIMIT 1"
    while server.query(open_ones):
        if time.monotonic() > deadline:
            return  # the figures report how many are undecided
        time.sleep(0.5)


def rates(burst: Burst) -> Flood:
    """The rates of a burst: uploads accepted, and jobs done during and after it.

    Counted from the first response on: all connections start at once, and the time before the first
    response matters less the longer the burst is.
    """
    first = min(one["at"] + one["seconds"] for one in burst.acknowledged)
    span = max(burst.answered - first, 0.1)
    left = min(burst.looks, key=lambda look: abs(look["at"] - burst.answered))
    fast = {one["job_id"] for one in burst.acknowledged if one["mode"] == "fast_track"}
    done = sum(
        row[2] is not None and row[2] <= burst.answered and job not in fast
        for job, row in burst.rows.items()
    )
    after = (left["depth"] + left["debt"]) / max(burst.drained - left["at"], 0.1)
    return Flood(len(burst.acknowledged), len(burst.acknowledged) / span, done / span, after)


def median_error(waits: list[tuple[float, float, float]], least: float = 1.0) -> float:
    """The median error of the estimated waits, in percent of the actual ones.

    Waits below ``least`` seconds count as ``least``, so tiny waits give no large errors.
    """
    errors = [abs(reported - real) / max(real, least) for _, reported, real in waits]
    return 100 * statistics.median(errors) if errors else 0.0
