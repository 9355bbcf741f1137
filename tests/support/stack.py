"""A whole Sluice of its own for tests: started by scripts/up on a free port, in its own folder."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
import redis
import requests

from models.settings import Settings
from tasks.servers.supervisor_client import UNREACHABLE, Supervisor
from tests.support import admin, database_template

_ports = itertools.count()
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
SMALL = {"WEB_INSTANCES": "1", "PRIORITY_WORKERS": "0"}
# Many tests share a machine: how long a sync answer waits is for scripts/bench, and where decoding
# is cut for tests/moderation/test_containment.py.
WHOLE = {
    "WEB_INSTANCES": "2",
    "PRIORITY_WORKERS": "1",
    "SYNC_TIMEOUT": "30",
    "DECODE_TIMEOUT": "30",
}


class Stack:
    """``url``, ``home``, ``env``, and the scripts by name: ``stack.run("scale", "3")``.

    ``said`` is what the last ``up`` printed.
    """

    said = ""

    scripts = SCRIPTS  # those of this tree; an upgrade's test begins with those of another one

    def __init__(self, home: Path | None = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))
        self.folder.chmod(0o755)  # root's stacks run as someone else
        self.home = home or self.folder / "var"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            "SLUICE_HOME": str(self.home),
            "PORT": str(self.port),
            "WORKERS": "1",
            "ALERT_AFTER": "3600",  # a busy machine is no alert, unless a test asks for one
            "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",  # the receivers of tests
            **settings,
        }

    def run(
        self, script: str, *arguments: str, check: bool = True, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a script against this stack; a failure shows what it printed."""
        command = [str(self.scripts / script), *arguments]
        options = {"text": True, "timeout": 180, "env": self.env, "stdin": subprocess.DEVNULL}
        if "input" in more:
            del options["stdin"]
        done = subprocess.run(command, capture_output=True, **{**options, **more})
        if check and done.returncode:
            raise AssertionError(
                f"{script} exited {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
            )
        return done

    def up(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        if not self.env.get("DATABASE_URL"):
            database_template.copy_into(self.home)
        done = self.run("up", "--detach", *arguments, check=check)
        self.said = done.stdout
        return done

    def down(self) -> subprocess.CompletedProcess[str]:
        return self.run("down")

    def sql(
        self, query: str, *parameters: Any, role: str = "sluice_owner"
    ) -> list[tuple[Any, ...]]:
        """Rows of a query in this stack's database, as its tables' owner; none for a command.

        The application's role is ``sluice``, the superuser's ``postgres``.
        """
        connection = self.connect(role)
        with contextlib.closing(connection), connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            rows = cursor.fetchall() if cursor.description else []
        # A process in which peewee has connected gets UUID objects, any other one strings.
        return [tuple(str(v) if isinstance(v, UUID) else v for v in row) for row in rows]

    def connect(self, role: str, database: str = "sluice") -> Any:
        """A connection to a database of this stack's PostgreSQL as any role."""
        return psycopg2.connect(self.database_url(role, database))

    def database_url(self, role: str, database: str = "sluice") -> str:
        """The URL of a database of this stack's PostgreSQL for a role, with its password's file."""
        passwords = self.home / "secrets" / "pgpass"
        return f"postgresql://{role}@/{database}?host={self.home / 'run'}&passfile={passwords}"

    def redis(self) -> redis.Redis:
        """A connection to this stack's own Redis."""
        return redis.Redis(unix_socket_path=str(self.home / "run" / "redis.sock"))

    def json(self, script: str, *arguments: str) -> Any:
        """What a script prints as JSON; of some by the process that stays, which is quicker."""
        if script in admin.SCRIPTS:
            return json.loads(admin.run(self.env, script, *arguments))
        return json.loads(self.run(script, *arguments).stdout)

    def status(self) -> dict[str, Any]:
        """What scripts/status --json tells."""
        return json.loads(self.run("status", "--json", check=False).stdout)

    def pids(self) -> dict[str, int]:
        """The pid of each running process by its name, as the supervisor tells; else of those
        that it left."""
        try:
            members = Supervisor(Settings.load(self.env)).members()
        except UNREACHABLE:
            return {p["name"]: p["pid"] for p in self.status()["processes"] if p["pid"]}
        return {member.name: member.pid for member in members if member.pid}

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to one process of this stack; ``supervisord`` is one too.

        The supervisor may still know the pid of a process that has just died: then it is asked
        again, until it has started the next one.
        """
        wait_until(lambda: self._signal(name, number))

    def _signal(self, name: str, number: int) -> bool:
        pid = self.supervisor_pid() if name == "supervisord" else self.pids().get(name)
        if not pid:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def supervisor_pid(self) -> int:
        return int((self.home / "run" / "supervisord.pid").read_text())

    def left(self) -> list[int]:
        """Every process that carries this stack's mark, or speaks of its folder."""
        home = os.fsencode(self.home.resolve())
        mark = b"SLUICE_STACK=" + home
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                marked = mark in (folder / "environ").read_bytes().split(b"\0")
                if marked or home in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found

    def logs(self, lines: int = 15) -> str:
        """The end of every log, for the message of a failed test."""
        parts = []
        for path in sorted((self.home / "log").glob("*")):
            text = path.read_text("utf-8", "replace").splitlines()[-lines:]
            parts.append("\n".join([f"--- {path.name}", *text]))
        return "\n".join(parts)

    def serves(self) -> bool:
        """Whether the application answers through nginx."""
        try:
            return requests.get(self.url + "/healthz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def remove(self) -> None:
        """Stop it and take its folder away."""
        self.run("down", check=False)
        shutil.rmtree(self.home.resolve(), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Stack]:
    """A stack of few processes that is up inside the block and gone after it."""
    stack = Stack(**SMALL | settings)
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that happens soon; fails when it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is told.

    Each pytest process has a thousand of its own, below those that the kernel gives to outgoing
    connections: between the look and the use nobody takes it.
    """
    first = 12_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for _ in range(1_000):
        port = first + (os.getpid() + next(_ports)) % 1_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no free port from {first} on")
