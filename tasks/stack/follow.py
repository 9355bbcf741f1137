"""The output of a foreground `up` until Ctrl-C: state changes and log lines."""

from __future__ import annotations

import time
from pathlib import Path

from models.settings import Settings
from tasks.observability import logs
from tasks.servers.layout import stack_lock
from tasks.servers.supervisor_client import UNREACHABLE, Supervisor
from tasks.stack.down import stop
from tasks.stack.steps import Step

POLL_EVERY = 0.5  # seconds


def follow(settings: Settings) -> int:
    """Show the stack until it ends or is interrupted, then stop it; returns the exit code."""
    print("Ctrl-C stops everything.\n", flush=True)
    try:
        _show(settings)
    except KeyboardInterrupt:
        print()
        with stack_lock(settings), Step("stop") as step:
            step.text = stop(settings)
        return 0
    except UNREACHABLE:
        pass
    with stack_lock(settings):  # either `down` runs elsewhere, or the supervisor died
        crashed = stop(settings) != "stopped"
    print("The supervisor died." if crashed else "Stopped.")
    return 1 if crashed else 0


def _show(settings: Settings) -> None:
    supervisor = Supervisor(settings)
    lines = _Logs(settings.sluice_home / "log")
    states = {m.name: m.state for m in supervisor.members()}
    while True:
        time.sleep(POLL_EVERY)
        for member in supervisor.members():
            if states.get(member.name) != member.state:
                change = f"{states.get(member.name)} → {member.state}"
                print(f"{member.name:<12} | {change}", flush=True)
                states[member.name] = member.state
        lines.show()


class _Logs:
    """New lines of the log files, without nginx's access log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen = {path: path.stat().st_size for path in folder.glob("*.log")}

    def show(self) -> None:
        for path in sorted(self.folder.glob("*.log")):
            if path.stem != "supervisord":
                for line in self._new_lines(path):
                    if path.stem != "nginx" or not line.startswith('{"time"'):
                        for each in logs.readable(line).split("\n"):
                            print(f"{path.stem:<12} | {each}", flush=True)

    def _new_lines(self, path: Path) -> list[str]:
        size = path.stat().st_size
        start = self.seen.get(path, 0)
        if size < start:  # rotated
            start = 0
        with path.open("rb") as file:
            file.seek(start)
            complete, newline, _ = file.read().rpartition(b"\n")
        self.seen[path] = start + len(complete) + len(newline)
        return complete.decode("utf-8", "replace").splitlines()
