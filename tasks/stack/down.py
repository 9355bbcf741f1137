"""Stops a stack: its processes finish their current work, then none is left."""

from __future__ import annotations

import time

from models.settings import Settings
from tasks.servers import processes
from tasks.servers.layout import stack_lock
from tasks.servers.procfile import REST, SERVERS, TRAITS, WEB
from tasks.servers.supervisor_client import UNREACHABLE, Supervisor
from tasks.stack.console import one_line_errors, valid_settings
from tasks.stack.steps import Step

STOPPED = {"STOPPED", "EXITED", "FATAL"}


def main() -> None:
    with one_line_errors("down"):
        settings = valid_settings()
        with stack_lock(settings):
            if not processes.of_stack(settings):
                print("Sluice is not running.")
                return
            with Step("stop") as step:
                step.text = stop(settings)


def stop(settings: Settings) -> str:
    """Stop everything; returns in words what was done.

    nginx and the workers stop first, at the same time: nginx finishes open requests, the workers
    finish their jobs. Then the web processes stop, which have no requests any more, then the
    servers.
    """
    supervisor = Supervisor(settings)
    try:
        if supervisor.is_running():
            for phase in (REST, WEB, SERVERS):
                _stop_phase(supervisor, phase)
            supervisor.shutdown()
            _wait_until_gone(settings)
    except UNREACHABLE:
        pass  # it has died since; its processes are ended below
    left = processes.end(settings)
    clear(settings)
    return "stopped" if not left else f"stopped {left} processes of a crashed supervisor"


def _stop_phase(supervisor: Supervisor, phase: int) -> None:
    members = [m for m in supervisor.members() if TRAITS[m.group][2] == phase]
    names = [m.full_name for m in members if m.state not in STOPPED]
    supervisor.stop(names)
    supervisor.wait(names, STOPPED, max((TRAITS[m.group][1] for m in members), default=0) + 5)


def _wait_until_gone(settings: Settings) -> None:
    end = time.monotonic() + 10
    while processes.of_stack(settings) and time.monotonic() < end:
        time.sleep(0.05)


def clear(settings: Settings) -> None:
    """Remove the sockets and pid files of a stack without processes."""
    for folder in {settings.run, settings.sluice_home / "run"}:
        for path in folder.iterdir() if folder.is_dir() else ():
            path.unlink(missing_ok=True)
    if settings.run.is_dir() and settings.run.parent != settings.sluice_home:
        settings.run.rmdir()  # the short socket folder in /tmp


if __name__ == "__main__":
    main()
