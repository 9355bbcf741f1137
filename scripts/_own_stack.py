"""Starts separate stacks for scripts/bench and scripts/faults."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from models.settings import ROOT, Settings
from tasks.servers import layout
from tasks.servers.supervisor_client import Supervisor

# All limits are on, and none is reached.
SETTINGS = {
    "MAX_UPLOADS_PER_MINUTE": "1000000",
    "MAX_UPLOADS_PER_HOUR": "10000000",
    "MAX_UPLOADS_PER_MINUTE_PER_IP": "1000000",
    "ENABLE_ADAPTIVE_RATE_LIMITING": "off",  # it would limit the only client
    "NGINX_RATE": "100000",
    "NGINX_CONNECTIONS": "10000",
    "NGINX_UPLOADS": "10000",
    "MEMORY_THRESHOLD": "98",
    "DISK_THRESHOLD": "98",
    "MIN_WORKERS": "0",
    "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",  # the receivers of scripts/faults
}


@dataclass
class Stack:
    """A running stack: its settings and the key of its one client."""

    settings: Settings
    environment: dict[str, str]
    key: str = ""

    def script(self, name: str, *arguments: str) -> str:
        """The output of a script; raises RuntimeError with its error message."""
        command = [str(ROOT / "scripts" / name), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name}: {(done.stderr or done.stdout).strip()[-1000:]}")
        return done.stdout

    def scale(self, workers: int) -> None:
        """Run this many workers."""
        self.script("scale", str(workers))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the stack's database."""
        connection = psycopg2.connect(self.settings.database)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        finally:
            connection.close()

    def pids(self, group: str) -> list[int]:
        """The pids of one Procfile line."""
        return [m.pid for m in Supervisor(self.settings).members() if m.group == group and m.pid]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process by its name; nothing if it has just ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(name), number)

    def pid(self, name: str) -> int:
        """The pid of the process with that name, a group leader; it may have ended."""
        path = self.settings.run / f"{name}.pid"
        while not (text := path.read_text("ascii")):
            time.sleep(0.01)  # it is just being written
        return int(text)


def make(home: Path, **settings: object) -> Stack:
    """A stack that is not started; its settings are the defaults, SETTINGS and these (None:
    the default)."""
    requested = {**SETTINGS, **settings}
    stated = {name: str(value) for name, value in requested.items() if value is not None}
    stated |= {"SLUICE_HOME": str(home), "PORT": str(free_port())}
    # The caller's settings are those of another stack.
    foreign = layout.setting_variables(os.environ)
    inherited = {name: value for name, value in os.environ.items() if name not in foreign}
    return Stack(Settings.load(stated), {**inherited, **stated})


@contextmanager
def stack(home: Path, **settings: object) -> Iterator[Stack]:
    """A running stack with a client, for the block."""
    made = make(home, **settings)
    try:
        made.script("up", "--detach")
        made.key = json.loads(made.script("client", "create", "Bench", "--json"))["key"]
        yield made
    finally:
        made.script("down")


def free_port() -> int:
    """A free port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
