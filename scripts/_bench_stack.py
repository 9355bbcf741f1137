"""The servers that `scripts/bench` measures: a stack of its own, and the bare yardstick."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from flask import Flask, request
from uuid_utils.compat import uuid7

from models.settings import ROOT, Settings
from tasks.stack import configs, layout
from tasks.stack.supervisor import Supervisor
from tasks.stack.up import healthy

PATIENCE = 60.0  # seconds until a server answers
# Every limit is in force and none is reached.
SETTINGS = {
    "MAX_UPLOADS_PER_MINUTE": "1000000",
    "MAX_UPLOADS_PER_HOUR": "10000000",
    "MAX_UPLOADS_PER_MINUTE_PER_IP": "1000000",
    "NGINX_RATE": "100000",
    "NGINX_CONNECTIONS": "10000",
    "MEMORY_THRESHOLD": "98",
    "DISK_THRESHOLD": "98",
    "MIN_WORKERS": "0",
}


@dataclass
class Stack:
    """A running stack: its settings and the key of its one client."""

    settings: Settings
    environment: dict[str, str]
    key: str = ""

    def script(self, name: str, *arguments: str) -> str:
        """What a script of ours prints; raises RuntimeError with its complaint."""
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
        """The processes of one line of the Procfile."""
        return [m.pid for m in Supervisor(self.settings).members() if m.group == group and m.pid]


def make(home: Path, **settings: object) -> Stack:
    """A stack that does not run yet; its settings are the defaults, SETTINGS and these."""
    stated = {**SETTINGS, **{name: str(value) for name, value in settings.items()}}
    stated |= {"SLUICE_HOME": str(home), "PORT": str(free_port())}
    # The caller's settings are those of another stack.
    foreign = layout.stated(os.environ)
    inherited = {name: value for name, value in os.environ.items() if name not in foreign}
    return Stack(Settings.load(stated), {**inherited, **stated})


@contextmanager
def stack(home: Path, **settings: object) -> Iterator[Stack]:
    """A stack that runs for the block, with a client."""
    made = make(home, **settings)
    try:
        made.script("up", "--detach")
        made.key = json.loads(made.script("client", "create", "Bench", "--json"))["key"]
        yield made
    finally:
        made.script("down")


@contextmanager
def bare(home: Path, instances: int) -> Iterator[int]:
    """The yardstick's port: a handler that only saves the file, behind the same nginx.

    The binary, its configuration and gunicorn's are the stack's own; only the handler differs.
    """
    stated = {**SETTINGS, "SLUICE_HOME": str(home), "PORT": str(free_port())}
    settings = Settings.load({**stated, "WEB_INSTANCES": str(instances)})
    layout.make_folders(settings)
    configs.write_all(settings, [])
    commands = [_gunicorn(settings, number) for number in range(instances)]
    config = str(home / "etc" / "nginx.conf")
    nginx = [str(layout.nginx_binary()), "-p", str(home), "-c", config, "-e", "stderr"]
    environment = layout.process_environment(settings)
    started = []
    try:
        for number, command in enumerate([*commands, nginx]):
            with (home / "log" / f"{number}.log").open("ab") as log:
                env = {**environment, "INSTANCE": f"{number:02}"}
                started.append(subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=ROOT))
        _until_healthy(settings)
        yield settings.port
    finally:
        for process in reversed(started):
            _end(process)


def _gunicorn(settings: Settings, number: int) -> list[str]:
    folder = settings.media / f"{number:02}"
    folder.mkdir(parents=True)
    config, scripts = ROOT / "webapp" / "gunicorn.py", ROOT / "scripts"
    command = [sys.executable, "-m", "gunicorn", "--config", str(config)]
    return [*command, "--pythonpath", str(scripts), f"_bench_stack:save_only({str(folder)!r})"]


def save_only(folder: str) -> Flask:
    """The yardstick's application: Flask as it comes, which saves the file and says so."""
    app = Flask("bare")

    @app.post("/api/moderation/submissions")
    def save() -> dict[str, bool]:
        request.files["images"].save(f"{folder}/{uuid7()}")
        return {"saved": True}

    @app.get("/healthz")
    def alive() -> dict[str, bool]:
        return {"alive": True}

    return app


def _until_healthy(settings: Settings) -> None:
    end = time.monotonic() + PATIENCE
    while not healthy(settings):
        if time.monotonic() > end:
            raise RuntimeError("the bare yardstick does not answer")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        for child in [*children, process]:
            child.kill()
        process.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
