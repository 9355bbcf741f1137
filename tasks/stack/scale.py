"""Starts and stops workers while the rest keeps running."""

from __future__ import annotations

import argparse

from models.errors import Conflict, Invalid
from models.settings import Settings
from tasks.servers import worker_pool
from tasks.servers.layout import stack_lock
from tasks.servers.procfile import TRAITS
from tasks.servers.supervisor_client import SupervisedProcess, Supervisor
from tasks.stack.console import needs_stack, one_line_errors, valid_settings

LABELS = {"worker": "workers", "worker-priority": "priority workers"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/scale")
    parser.add_argument("workers", type=int, nargs="?")
    parser.add_argument("--priority", type=int)
    options = parser.parse_args()
    sizes = {"worker": options.workers, "worker-priority": options.priority}
    with one_line_errors("scale"), needs_stack("scale"):
        settings = valid_settings()
        changes = scale(settings, {name: n for name, n in sizes.items() if n is not None})
        for name, (before, after) in changes.items():
            print(f"{LABELS[name]}: {before} → {after}")
        if not changes:
            for name, size in running(settings).items():
                print(f"{LABELS[name]}: {size}")


def scale(settings: Settings, sizes: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Resize each named pool; returns (before, after) of each.

    Safe if called twice at once: the stack's lock serialises the calls. The workers with the lowest
    numbers stay, and they are not restarted.
    """
    for name, size in sizes.items():
        _check(settings, name, size)
    if not sizes:
        return {}
    with stack_lock(settings):
        supervisor = Supervisor(settings)
        changes = {}
        for name, size in sizes.items():
            changes[name] = _resize(supervisor, name, size)
            worker_pool.store(settings, name, size)
        return changes


def running(settings: Settings) -> dict[str, int]:
    """The number of running workers of each pool."""
    members = Supervisor(settings).members()
    return {name: sum(_is_up(m) for m in members if m.group == name) for name in worker_pool.POOLS}


def _check(settings: Settings, name: str, size: int) -> None:
    least, most = worker_pool.bounds(settings, name)
    if not least <= size <= most:
        why = "MIN_WORKERS to MAX_WORKERS" if name == "worker" else "MAX_PRIORITY_WORKERS"
        text = f"{size} {LABELS[name]} is outside {least} to {most} ({why})"
        raise Invalid(text, field=name)


def _resize(supervisor: Supervisor, name: str, size: int) -> tuple[int, int]:
    members = [m for m in supervisor.members() if m.group == name]
    before = sum(_is_up(m) for m in members)
    kept, surplus = members[:size], members[size:]
    patience = TRAITS[name][1] + 5
    stopping = [m.full_name for m in members if m.state == "STOPPING"]
    supervisor.wait(stopping, {"STOPPED"}, patience)
    stop = [m.full_name for m in surplus if m.state in ("RUNNING", "STARTING", "BACKOFF")]
    start = [m.full_name for m in kept if not _is_up(m)]
    supervisor.stop(stop)
    supervisor.start(start)
    done = supervisor.wait(start, {"RUNNING"}, 10)
    done = supervisor.wait(stop, {"STOPPED", "EXITED", "FATAL"}, patience) and done
    if not done:
        raise Conflict(
            f"the {LABELS[name]} did not reach their state in time; see scripts/status and the logs"
        )
    return before, size


def _is_up(member: SupervisedProcess) -> bool:
    return member.state in ("RUNNING", "STARTING")


if __name__ == "__main__":
    main()
