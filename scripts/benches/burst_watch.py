"""Samples a stack: depth, mode, wait, debt and memory, one line of JSON per sample.

It queries Redis and PostgreSQL directly, so it does not wait behind the burst at nginx. It runs
until it is terminated.
"""

from __future__ import annotations

import json
import time
from typing import Any

from models.database.connection import connect, connection
from models.settings import Settings, use_settings
from models.submissions.submission import Submission
from tasks.load import snapshot
from tasks.servers import processes
from tasks.servers.supervisor_client import Supervisor

EVERY = 0.5  # seconds between samples
MEMORY_EVERY = 10  # samples; it reads a kernel table for each process


def main() -> None:
    """Sample and print until standard output is closed or a signal arrives."""
    settings = use_settings(Settings.load())
    connect(settings, pool=1)
    supervisor, number = Supervisor(settings), 0
    while True:
        began = time.monotonic()
        reported = look()
        if number % MEMORY_EVERY == 0:
            reported["memory"] = memory(supervisor)
        print(json.dumps(reported), flush=True)
        number += 1
        time.sleep(max(0.0, EVERY - (time.monotonic() - began)))


def look() -> dict[str, Any]:
    """The current load."""
    now = snapshot.read()
    beats = snapshot.workers()
    with connection():
        debt = Submission.count_owed()
    return {
        "at": time.time(),
        "depth": now.depth,
        "priority": now.priority,
        "debt": debt,
        "mode": snapshot.current()["mode"],  # the mode of the next upload
        "wait": snapshot.estimated_wait(),
        "rates": {beat["name"]: beat["jobs_per_second"] for beat in beats},
        "busy": {beat["name"]: beat["load"] for beat in beats},
        "processed": {beat["name"]: beat["processed"] for beat in beats},
    }


def memory(supervisor: Supervisor) -> dict[str, int]:
    """Proportional set size in bytes per Procfile line, including children."""
    found: dict[str, int] = {}
    for member in supervisor.members():
        if member.pid:
            used = processes.memory(processes.family(member.pid))
            found[member.group] = found.get(member.group, 0) + used
    return found


if __name__ == "__main__":
    main()
