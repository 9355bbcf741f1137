"""Autoscaling: reads the load, chooses how many workers there shall be, and brings the pool to it.

``python -m tasks.autoscale`` goes on until it is stopped; ``--once`` and ``--dry-run`` for a look.
The choice itself is ``models.capacity.autoscaling``'s. A member that is at work is not stopped: the
step down waits for a moment in which those that would go are idle.
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
from models.errors import SluiceError
from models.settings import Settings, use_settings
from models.statistics import load_samples
from tasks.load import last_scaling, snapshot
from tasks.load.heartbeat import HOST, is_ours
from tasks.observability import logs
from tasks.servers.supervisor_client import AWAY
from tasks.stack import scale
from tasks.stack.console import fail

EVERY = 5.0  # seconds between two choices
LOOK_BACK = 15.0  # seconds over which arrivals are counted
A_WORKER = 120 * 1024 * 1024  # bytes of memory that one more worker takes at most
NOT_RUNNING = 3
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
    try:
        settings = use_settings(Settings.load())
        # In a person's terminal it is read as it comes.
        logs.start(settings.log_format if "PROCESS_NAME" in os.environ else logs.TEXT)
        connect(settings, pool=2)
        follow(settings, once=options.once, dry_run=options.dry_run)
    except AWAY:
        raise fail("autoscale: Sluice is not running: scripts/up starts it", NOT_RUNNING) from None
    except SluiceError as error:
        raise fail(f"autoscale: {error.detail}") from error


def follow(settings: Settings, *, once: bool, dry_run: bool) -> None:
    """Choose again and again; what changes is logged with its reason."""
    scale.running(settings)  # without a supervisor there is nothing to scale
    memory, said, pace = Memory(), "", 0.0
    while not stop.is_set():
        try:
            with connection():
                reading = read(settings, pace)
        except peewee.PeeweeException as error:
            log.warning("PostgreSQL: %s", str(error).strip().split("\n")[0])
            stop.wait(EVERY)
            continue
        choice = choose(reading, bounds(settings, reading.workers), memory)
        choice = _spare_the_busy(choice, reading, memory)
        memory, pace = choice.memory, reading.pace
        line = f"workers: {reading.workers} → {choice.workers}: {choice.why}"
        if choice.workers != reading.workers and not dry_run:
            scale.scale(settings, {"worker": choice.workers})
            _tell(reading.workers, choice.workers, choice.why)
        if once or dry_run or (choice.workers != reading.workers and line != said):
            log.info(line)
            said = line
        if once:
            return
        stop.wait(EVERY)


def _tell(before: int, after: int, why: str) -> None:
    """Write a change down: for the status and the dashboard, and for good in the audit."""
    last_scaling.keep(before, after, why)
    try:
        with connection():
            Audit.append("workers.scale", HOST, before=before, after=after, why=why)
    except peewee.PeeweeException as error:
        log.warning("PostgreSQL: %s", str(error).strip().split("\n")[0])


def read(settings: Settings, pace: float = 0.0) -> Reading:
    """The load of this moment, on the database's rows; raises PeeweeException, OSError.

    ``pace`` is the last one that was known: it holds while no worker is heard.
    """
    beats = [beat for beat in snapshot.workers() if beat["state"] != "stale"]
    known = [beat["jobs_per_second"] for beat in beats if beat["jobs_per_second"] > 0]
    return Reading(
        at=time.monotonic(),
        depth=load_samples.count_waiting(),
        arrivals=load_samples.received_since(LOOK_BACK) / LOOK_BACK,
        pace=fmean(known) if known else pace,
        workers=scale.running(settings)["worker"],
        others=sum(not is_ours(beat) and not beat["lanes"] for beat in beats),
    )


def bounds(settings: Settings, workers: int) -> Bounds:
    """MIN_WORKERS to MAX_WORKERS, and no more than this machine's processors and memory carry."""
    most = settings.max_workers
    if settings.nsfw_engine != "remote":  # else they wait more than they burn
        most = min(most, len(os.sched_getaffinity(0)) + 1)
    room = psutil.virtual_memory().total * settings.memory_threshold / 100
    spare = room - psutil.virtual_memory().used
    most = min(most, workers + max(0, int(spare // A_WORKER)))
    return Bounds(
        settings.min_workers,
        max(settings.min_workers, most),
        settings.scale_up_cooldown,
        settings.scale_down_cooldown,
        settings.scale_drain,
    )


def _spare_the_busy(choice: Choice, reading: Reading, before: Memory) -> Choice:
    going = {f"worker_{number:02}" for number in range(choice.workers, reading.workers)}
    ours = [beat for beat in snapshot.workers() if is_ours(beat)]
    busy = [beat["name"] for beat in ours if beat["state"] == "busy"]
    at_work = sorted(going.intersection(busy))
    if not at_work:
        return choice
    return put_off(choice, reading, before, f"{at_work[0]} is at work")


if __name__ == "__main__":
    main()
