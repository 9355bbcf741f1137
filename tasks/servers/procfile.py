"""The processes of the Procfile, and how the supervisor runs each."""

from __future__ import annotations

from dataclasses import dataclass

from models.settings import ROOT, Settings


@dataclass(frozen=True)
class Program:
    """One line of the Procfile. ``size`` members are declared, ``started`` of them run."""

    name: str
    command: str
    size: int
    started: int
    signal: str
    patience: int  # seconds between the signal and SIGKILL, more than the process's own timeout
    phase: int  # started in this order, stopped in reverse

    @property
    def members(self) -> list[str]:
        """Names of the processes: ``nginx``; ``worker_00``, ``worker_01`` and so on."""
        if self.name in SINGLE:
            return [self.name]
        return [f"{self.stem}_{number:02}" for number in range(self.size)]

    @property
    def stem(self) -> str:
        return self.name.removeprefix("worker-")

    def full_name(self, member: str) -> str:
        """The supervisor's name of a member: ``group:process``."""
        return f"{self.name}:{member}"


SINGLE = {"postgres", "redis", "nginx", "standby", "autoscale"}
SERVERS, WEB, REST = (
    1,
    2,
    3,
)  # REST stops first: nginx finishes its requests while the web still runs
TRAITS = {  # signal, patience, phase
    "postgres": ("INT", 60, SERVERS),
    "redis": ("TERM", 30, SERVERS),
    "web": ("TERM", 25, WEB),
    "worker": ("TERM", 30, REST),
    "worker-priority": ("TERM", 30, REST),
    "standby": ("TERM", 30, REST),
    "autoscale": ("TERM", 40, REST),
    "nginx": ("QUIT", 15, REST),
}


def programs(settings: Settings, started: dict[str, int]) -> list[Program]:
    """The programs of this stack; ``started`` is the number of running members by pool."""
    sizes = {
        "web": settings.web_instances,
        "worker": settings.max_workers,
        "worker-priority": settings.max_priority_workers,
    }
    started = {"autoscale": int(settings.autoscale), **started}
    external = {name for name, url in external_servers(settings).items() if url}
    return [
        Program(name, command, size, started.get(name, size), *TRAITS[name])
        for name, command in read()
        if name not in external
        for size in [sizes.get(name, 1)]
    ]


def external_servers(settings: Settings) -> dict[str, str]:
    return {"postgres": settings.database_url, "redis": settings.redis_url}


def read() -> list[tuple[str, str]]:
    """Name and command of every line."""
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if line.strip() and line[0] != "#")
    return [(name.strip(), command.strip()) for name, _, command in pairs]
