"""Worker throughput in images per second, memory, and the time of a second `scripts/up`."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from scripts._own_stack import Stack, make, stack
from scripts.benches import worker_parts
from scripts.benches.figures import Figure, Measure, against, at_most
from scripts.benches.http import FILLING, Plan
from scripts.benches.load import Maker, drive, upload
from tasks.servers import processes
from tasks.servers.health_probe import site_answers

MEGABYTE = 1024 * 1024
FIRST = 200.0  # megabytes per worker, the initial goal
SLOWEST = 0.5  # images per second below which a worker counts as stuck
BARE, REFERENCE = 0, 2  # indexes in the rows of worker_parts


def worker(plan: Plan) -> list[Figure]:
    """Images per second of one worker, beside the bare network and opennsfw2 on one core."""
    ours, parts = [], []
    with stack(plan.work / "worker", **FILLING) as server:
        make_upload = upload(server.key, jpeg=plan.picture.read_bytes())
        for _ in range(plan.rounds):
            ours.append(_drain(server, make_upload, plan.count // 4))
            parts.append(worker_parts.run())
    note = (
        f"rounds of {plan.count // 4} images of 100 KB from a full queue, from the first decision"
        " to the last; the bare network gets a decoded array"
    )
    what = "one worker, whole tasks"
    bare = [row[BARE]["value"] for row in parts]
    figures = [
        against(
            "worker", what, ours, "images/s", (parts[0][BARE]["what"], bare),
            least=0.85, goal="≥ 0.85 ×", note=note,
        )
    ]  # fmt: skip
    reference = [row[REFERENCE]["value"] for row in parts]
    name = parts[0][REFERENCE]["what"]
    if None in reference:
        return [*figures, Figure("worker", what, Measure.of(ours, "images/s"), name, goal="≥ 8 ×")]
    beside = (name, reference)
    return [*figures, against("worker", what, ours, "images/s", beside, least=8, goal="≥ 8 ×")]


def repeats(plan: Plan) -> list[Figure]:
    """Images per second of one worker if 4 of 5 repeat earlier bytes, compared with new ones."""
    fresh, repeated = [], []
    with stack(plan.work / "repeats", **FILLING) as server:
        jpeg = plan.picture.read_bytes()
        new = upload(server.key, jpeg=jpeg)
        mixed = upload(server.key, jpeg=jpeg, times=5)
        for _ in range(plan.rounds):
            fresh.append(_drain(server, new, plan.count // 4))
            repeated.append(_drain(server, mixed, plan.count // 2))
    what, beside = "one worker, 80 % repeats", ("only new pictures", fresh)
    return [against("repeats", what, repeated, "images/s", beside, least=5, goal="≥ 5 ×")]


def _drain(server: Stack, make_upload: Maker, images: int) -> float:
    """Images per second of one worker that is started with a full queue."""
    [(before,)] = server.query("SELECT clock_timestamp()")
    drive(server.settings.port, make_upload, count=images, connections=8).require_success()
    server.scale(1)
    deadline = time.monotonic() + 30 + images / SLOWEST
    while server.query("SELECT 1 FROM submission WHERE verdict IS NULL LIMIT 1"):
        if time.monotonic() > deadline:
            raise RuntimeError("the worker does not come to the end of the queue")
        time.sleep(0.25)
    server.scale(0)
    [(count, seconds)] = server.query(
        "SELECT count(*), extract(epoch FROM max(decided_at) - min(decided_at))::float"
        f" FROM submission WHERE created_at > '{before.isoformat()}'"
    )
    rate: float = (count - 1) / seconds
    return rate


def memory(plan: Plan) -> list[Figure]:
    """Proportional memory of the whole idle stack, and of each worker after work."""
    idle, used = [], []
    with stack(plan.work / "memory") as server:
        make_upload = upload(server.key, jpeg=plan.picture.read_bytes())
        for _ in range(plan.rounds):
            server.script("down")
            server.script("up", "--detach")
            time.sleep(3)
            idle.append(processes.memory(processes.of_stack(server.settings)) / MEGABYTE)
            drive(server.settings.port, make_upload, count=80, connections=4)
            used += [_proportional(pid) for pid in server.pids("worker")]
        after = processes.memory(processes.of_stack(server.settings)) / MEGABYTE
    note = "proportional set size; a worker with its decoder after they have scored pictures"
    return [
        replace(
            at_most("memory", "one worker", used, "MB", 120, note),
            yardstick="the seed",
            beside=Measure(FIRST, "MB"),
        ),
        at_most("memory", "whole idle stack", idle, "MB", 600),
        Figure("memory", "whole stack after work", Measure.of([after], "MB")),
    ]


def _proportional(pid: int) -> float:
    return processes.memory(processes.family(pid)) / MEGABYTE


def second_up(plan: Plan) -> list[Figure]:
    """Seconds from the start of a second `scripts/up` to the first response through nginx."""
    server = make(plan.work / "up")
    serving: list[float] = []
    returned = []
    try:
        server.script("up", "--detach")
        for _ in range(plan.rounds):
            server.script("down")
            started = time.perf_counter()
            answered = threading.Thread(target=_note_answer, args=(server, started, serving))
            answered.start()
            server.script("up", "--detach")
            returned.append(time.perf_counter() - started)
            answered.join()
    finally:
        server.script("down")
    return [
        at_most("up", "second scripts/up: serving", serving, "s", 5),
        Figure("up", "second scripts/up: returned", Measure.of(returned, "s")),
    ]


def _note_answer(server: Stack, started: float, into: list[float]) -> None:
    while not site_answers(server.settings):
        time.sleep(0.02)
    into.append(time.perf_counter() - started)
