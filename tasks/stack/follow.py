"""What a foreground `up` shows until Ctrl-C: changes of state and the lines of the logs."""

from __future__ import annotations

import time
from pathlib import Path

from models.settings import Settings
from tasks.observability import logs
from tasks.servers.supervisor_client import AWAY, Supervisor
from tasks.stack.console import Step
from tasks.stack.down import stop
from tasks.stack.lock import stack_lock

PAUSE = 0.5  # seconds between two looks


def follow(settings: Settings) -> int:
    """Show the stack until it ends or is interrupted, then stop it; answers the exit code."""
    print("Ctrl-C stops everything.\n", flush=True)
    try:
        _show(settings)
    except KeyboardInterrupt:
        print()
        with stack_lock(settings), Step("stop") as step:
            step.text = stop(settings)
        return 0
    except AWAY:
        pass
    with stack_lock(settings):  # `down` may be at work elsewhere; else the supervisor died
        crashed = stop(settings) != "stopped"
    print("The supervisor died." if crashed else "Stopped.")
    return 1 if crashed else 0


def _show(settings: Settings) -> None:
    supervisor = Supervisor(settings)
    lines = _Logs(settings.sluice_home / "log")
    states = {m.name: m.state for m in supervisor.members()}
    while True:
        time.sleep(PAUSE)
        for member in supervisor.members():
            if states.get(member.name) != member.state:
                change = f"{states.get(member.name)} → {member.state}"
                print(f"{member.name:<12} | {change}", flush=True)
                states[member.name] = member.state
        lines.show()


class _Logs:
    """The lines that are added to the log files; nginx's access log is left out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen = {path: path.stat().st_size for path in folder.glob("*.log")}

    def show(self) -> None:
        for path in sorted(self.folder.glob("*.log")):
            if path.stem != "supervisord":
                for line in self._added(path):
                    if path.stem != "nginx" or not line.startswith('{"time"'):
                        for each in logs.readable(line).split("\n"):
                            print(f"{path.stem:<12} | {each}", flush=True)

    def _added(self, path: Path) -> list[str]:
        size = path.stat().st_size
        start = self.seen.get(path, 0)
        if size < start:  # rotated
            start = 0
        with path.open("rb") as file:
            file.seek(start)
            whole, newline, _ = file.read().rpartition(b"\n")
        self.seen[path] = start + len(whole) + len(newline)
        return whole.decode("utf-8", "replace").splitlines()
