"""The bare yardstick of `scripts/bench`: the same servers with a handler that only saves."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from flask import Flask, request
from uuid_utils.compat import uuid7

from models.settings import ROOT, Settings
from scripts._own_stack import SETTINGS, free_port
from tasks.servers import configs, layout
from tasks.servers.health_probe import site_answers

PATIENCE = 60.0  # seconds until a server responds


@dataclass(frozen=True)
class Bare:
    """The running yardstick: its port, and its processes by name."""

    port: int
    pids: dict[str, list[int]]


@contextmanager
def bare(home: Path, instances: int) -> Iterator[Bare]:
    """The yardstick: a handler that only saves the file, behind the same nginx.

    nginx and the configurations of nginx and gunicorn are the stack's; only the handler differs.
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
        pids = [process.pid for process in started]
        yield Bare(settings.port, {"web": pids[:-1], "nginx": pids[-1:]})
    finally:
        for process in reversed(started):
            _end(process)


def _gunicorn(settings: Settings, number: int) -> list[str]:
    folder = settings.media / f"{number:02}"
    folder.mkdir(parents=True)
    config = ROOT / "webapp" / "gunicorn.py"
    command = [sys.executable, "-m", "gunicorn", "--config", str(config)]
    application = f"scripts.benches.stack:save_only({str(folder)!r})"
    return [*command, "--pythonpath", str(ROOT), application]


def save_only(folder: str) -> Flask:
    """The yardstick's application: plain Flask, which saves the file and responds."""
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
    while not site_answers(settings):
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
