"""Stops a stack: work in hand is finished, then no process of it is left."""

from __future__ import annotations

import time

from models.errors import SluiceError
from models.settings import Settings, use_settings
from tasks.servers import processes
from tasks.servers.procfile import REST, SERVERS, TRAITS, WEB
from tasks.servers.supervisor_client import AWAY, Supervisor
from tasks.stack.console import Step, fail
from tasks.stack.lock import stack_lock

STOPPED = {"STOPPED", "EXITED", "FATAL"}


def main() -> None:
    try:
        settings = use_settings(Settings.load())
        with stack_lock(settings):
            if not processes.of_stack(settings):
                print("Sluice is not running.")
                return
            with Step("stop") as step:
                step.text = stop(settings)
    except SluiceError as error:
        raise fail(f"down: {error.detail}") from error


def stop(settings: Settings) -> str:
    """Stop everything; answers in words what was done.

    The edge and the workers go first, at the same time: nginx lets open requests end, the workers
    finish what they have. Then the web, which has no caller left, and the servers that all needed.
    """
    supervisor = Supervisor(settings)
    try:
        if supervisor.answers():
            for phase in (REST, WEB, SERVERS):
                _stop_phase(supervisor, phase)
            supervisor.shutdown()
            _wait_until_gone(settings)
    except AWAY:
        pass  # it died meanwhile; what it leaves is found below
    left = processes.end(settings)
    clear(settings)
    return "stopped" if not left else f"stopped {left} processes that a crash had left"


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
    """Remove the sockets and pid files of a stack that has no process left."""
    for folder in {settings.run, settings.sluice_home / "run"}:
        for path in folder.iterdir() if folder.is_dir() else ():
            path.unlink(missing_ok=True)
    if settings.run.is_dir() and settings.run.parent != settings.sluice_home:
        settings.run.rmdir()  # the short one in /tmp


if __name__ == "__main__":
    main()
