"""Autoscaling: reads the load, chooses the number of workers, and resizes the pool to it.

``python -m tasks.autoscale`` runs until it is stopped; ``--once`` and ``--dry-run`` only look.
``models.capacity.autoscaling`` makes the choice. A busy worker is not stopped: the step down waits
until the workers that it would stop are idle.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time
from statistics import fmean

import peewee
import psutil
import setproctitle

from models.audit.log import Audit
from models.capacity.autoscaling import Bounds, Choice, Memory, Reading, choose, put_off
from models.database.connection import connect, connection
from models.settings import Settings, use_settings
from models.statistics import load_samples
from tasks.load import last_scaling, snapshot
from tasks.load.heartbeat import HOST, is_ours
from tasks.observability import logs
from tasks.stack import scale
from tasks.stack.console import needs_stack, one_line_errors

EVERY = 5.0  # seconds between two choices
LOOK_BACK = 15.0  # seconds over which arrivals are counted
WORKER_MEMORY = 120 * 1024 * 1024  # bytes that one more worker uses at most
log = logging.getLogger("sluice.autoscale")
stop = threading.Event()


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/autoscale")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    setproctitle.setproctitle("sluice autoscale")
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    with one_line_errors("autoscale"), needs_stack("autoscale"):
        settings = use_settings(Settings.load())
        # A person in a terminal gets plain text.
        logs.start(settings.log_format if "PROCESS_NAME" in os.environ else logs.TEXT)
        connect(settings, pool=2)
        follow(settings, once=options.once, dry_run=options.dry_run)


def follow(settings: Settings, *, once: bool, dry_run: bool) -> None:
    """Choose every ``EVERY`` seconds; log each change with its reason."""
    scale.running(settings)  # without a supervisor there is nothing to scale
    memory, last_line, pace = Memory(), "", 0.0
    while not stop.is_set():
        try:
            with connection():
                reading = read(settings, pace)
        except peewee.PeeweeException as error:
            log.warning("PostgreSQL: %s", str(error).strip().split("\n")[0])
            stop.wait(EVERY)
            continue
        choice = choose(reading, bounds(settings, reading.workers), memory)
        choice = _keep_busy_workers(choice, reading, memory)
        memory, pace = choice.memory, reading.pace
        line = f"workers: {reading.workers} → {choice.workers}: {choice.why}"
        if choice.workers != reading.workers and not dry_run:
            scale.scale(settings, {"worker": choice.workers})
            _record(reading.workers, choice.workers, choice.why)
        if once or dry_run or (choice.workers != reading.workers and line != last_line):
            log.info(line)
            last_line = line
        if once:
            return
        stop.wait(EVERY)


def _record(before: int, after: int, why: str) -> None:
    """Record a change for the status and the dashboard, and in the audit."""
    last_scaling.keep(before, after, why)
    try:
        with connection():
            Audit.append("workers.scale", HOST, before=before, after=after, why=why)
    except peewee.PeeweeException as error:
        log.warning("PostgreSQL: %s", str(error).strip().split("\n")[0])


def read(settings: Settings, pace: float = 0.0) -> Reading:
    """The current load by the database's rows; raises PeeweeException, OSError.

    ``pace`` is the last measured one: it is used while no worker is online.
    """
    beats = [beat for beat in snapshot.workers() if beat["state"] != "stale"]
    paces = [beat["jobs_per_second"] for beat in beats if beat["jobs_per_second"] > 0]
    return Reading(
        at=time.monotonic(),
        depth=load_samples.count_waiting(),
        arrivals=load_samples.received_since(LOOK_BACK) / LOOK_BACK,
        pace=fmean(paces) if paces else pace,
        workers=scale.running(settings)["worker"],
        others=sum(not is_ours(beat) and not beat["lanes"] for beat in beats),
    )


def bounds(settings: Settings, workers: int) -> Bounds:
    """MIN_WORKERS to MAX_WORKERS, at most what this machine's processors and memory allow."""
    most = settings.max_workers
    if settings.nsfw_engine != "remote":  # remote workers mostly wait for the network
        most = min(most, len(os.sched_getaffinity(0)) + 1)
    room = psutil.virtual_memory().total * settings.memory_threshold / 100
    spare = room - psutil.virtual_memory().used
    most = min(most, workers + max(0, int(spare // WORKER_MEMORY)))
    return Bounds(
        settings.min_workers,
        max(settings.min_workers, most),
        settings.scale_up_cooldown,
        settings.scale_down_cooldown,
        settings.scale_drain,
    )


def _keep_busy_workers(choice: Choice, reading: Reading, before: Memory) -> Choice:
    to_stop = {f"worker_{number:02}" for number in range(choice.workers, reading.workers)}
    ours = [beat for beat in snapshot.workers() if is_ours(beat)]
    busy = [beat["name"] for beat in ours if beat["state"] == "busy"]
    still_busy = sorted(to_stop.intersection(busy))
    if not still_busy:
        return choice
    return put_off(choice, reading, before, f"{still_busy[0]} is busy")


if __name__ == "__main__":
    main()
