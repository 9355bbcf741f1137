"""A client of the stack's supervisor, over its socket in the run folder."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
import xmlrpc.client  # nosec B411
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.settings import Settings

UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)


@dataclass(frozen=True)
class SupervisedProcess:
    """One process as the supervisor sees it; ``since`` is its start in Unix seconds."""

    group: str
    name: str
    state: str
    pid: int
    since: int

    @property
    def full_name(self) -> str:
        return f"{self.group}:{self.name}"


class Supervisor:
    """Start, stop and list processes. Every call may raise one of ``UNREACHABLE``."""

    def __init__(self, settings: Settings, timeout: float = 5.0) -> None:
        transport = _UnixTransport(settings.run / "supervisor.sock", timeout)
        self._rpc: Any = xmlrpc.client.ServerProxy("http://localhost", transport).supervisor

    def is_running(self) -> bool:
        """Whether a supervisor of this stack runs."""
        try:
            return self._rpc.getState()["statename"] == "RUNNING"
        except UNREACHABLE:
            return False

    def members(self) -> list[SupervisedProcess]:
        """Every declared process, running or not, in the order of the configuration."""
        return [
            SupervisedProcess(i["group"], i["name"], i["statename"], i["pid"], i["start"])
            for i in self._rpc.getAllProcessInfo()
        ]

    def start(self, names: Iterable[str]) -> None:
        """Start processes by their full names, without waiting."""
        self._each(self._rpc.startProcess, names)

    def stop(self, names: Iterable[str]) -> None:
        """Send processes their stop signal, without waiting."""
        self._each(self._rpc.stopProcess, names)

    def _each(self, call: Callable[[str, bool], bool], names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it already is in that state
                call(name, False)

    def wait(self, names: Iterable[str], states: set[str], seconds: float) -> bool:
        """Wait until all these processes are in one of the states; False after ``seconds``."""
        awaited = set(names)
        end = time.monotonic() + seconds
        while True:
            current = {m.full_name: m.state for m in self.members() if m.full_name in awaited}
            if all(state in states for state in current.values()):
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)

    def shutdown(self) -> None:
        """Stop all processes and the supervisor itself."""
        self._rpc.shutdown()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket of the run folder."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = self._connection[1] or UnixConnection(self._path, self._timeout)
        self._connection = host, connection
        return connection
