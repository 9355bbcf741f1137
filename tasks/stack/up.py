"""Starts a stack: files, servers, migrations and processes, until nginx answers."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from models.errors import Unavailable
from models.settings import ROOT, Settings
from tasks import storage
from tasks.observability import metric_files, tracing
from tasks.servers import (
    certificate,
    configs,
    external_servers,
    layout,
    postgres,
    processes,
    procfile,
    worker_pool,
)
from tasks.servers.health_probe import site_answers
from tasks.servers.layout import stack_lock
from tasks.servers.procfile import REST, SERVERS, WEB, Program
from tasks.servers.supervisor_client import Supervisor
from tasks.stack.console import checked_settings, one_line_errors
from tasks.stack.down import clear, stop
from tasks.stack.follow import follow
from tasks.stack.steps import Step
from tasks.stack.welcome import print_already_up, print_welcome
from tasks.storage import StorageDown

START_TIMEOUT = 60.0  # seconds until a server or the application must answer
FAILING_TIMEOUT = 5.0  # seconds of a server that exits again and again
FAILING = ("BACKOFF", "FATAL")  # states of the supervisor


def main() -> None:
    options = parse()
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    started = time.monotonic()
    with one_line_errors("up"):
        settings = checked_settings()
        layout.make_folders(settings)
        with stack_lock(settings):
            if Supervisor(settings).is_running():
                print_already_up(settings, options)
                return
            if options.workers is not None:
                worker_pool.store(settings, "worker", settings.workers)
            warnings = start(settings)
        print_welcome(settings, time.monotonic() - started, warnings)
    if not options.detach:
        raise SystemExit(follow(settings))


def parse() -> argparse.Namespace:
    """Flags become settings in the environment, so that every process gets them."""
    parser = argparse.ArgumentParser(prog="scripts/up")
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--port")
    parser.add_argument("--workers")
    options = parser.parse_args()
    for name in ("port", "workers"):
        if getattr(options, name) is not None:
            os.environ[name.upper()] = getattr(options, name)
    return options


def start(settings: Settings) -> list[str]:
    """Start everything until the server answers; on failure stop everything.

    Returns a sentence for each server that the settings name and that does not answer.
    """
    clean_up(settings)
    layout.make_folders(settings)
    for port in filter(None, (settings.port, settings.http_port)):
        check_port(settings, port)
    programs = procfile.programs(settings, worker_pool.sizes(settings))
    if tracing.is_missing(settings):
        print(f"  {tracing.MISSING}")
    with Step("files") as step:
        prepare(settings, programs)
        step.text = str(settings.sluice_home)
    try:
        with Step("servers") as step:
            start_servers(settings, programs)
            warnings = external_servers.unavailable(settings)
            step.text = "PostgreSQL, Redis" if not warnings else "not all of them answer"
        with Step("database") as step:
            step.text = migrate(settings)
        with Step("processes") as step:
            step.text = start_application(settings, programs)
    except BaseException:
        stop(settings)
        raise
    return warnings


def clean_up(settings: Settings) -> None:
    """After a crash or a power cut: end remaining processes, remove sockets and pid files."""
    left = processes.end(settings)
    if left:
        print(f"  ended {left} processes of a crashed stack")
    clear(settings)
    metric_files.clear(layout.metrics_folder(settings))


def check_port(settings: Settings, port: int) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, port))
            probe.listen()
        except PermissionError as error:
            hint = f"net.ipv4.ip_unprivileged_port_start={port}"
            raise Unavailable(
                f"port {port} is only for root: run sysctl -w {hint}, or use a port above 1023"
            ) from error
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            hint = "choose another with --port N" if taken else "HOST must be of this machine"
            where = f"port {port} of {settings.host}"
            raise Unavailable(f"{where}: {error.strerror}; {hint}") from error


def prepare(settings: Settings, programs: list[Program]) -> None:
    layout.make_secrets(settings)
    layout.check_secrets(settings)
    with contextlib.suppress(StorageDown):  # it may become available later; the end says so
        storage.of(settings).check()
    if settings.tls_certificate:
        certificate.install(settings)
    configs.write_all(settings, programs)
    layout.store_environment(settings)
    layout.store_url(settings)
    check_nginx(settings)
    if not settings.database_url:
        postgres.prepare(settings)


def check_nginx(settings: Settings) -> None:
    """Let nginx check its configuration, so that an error is reported before it starts."""
    config = settings.sluice_home / "etc" / "nginx.conf"
    command = [str(layout.nginx_binary()), "-t", "-q", "-p", str(settings.sluice_home)]
    done = subprocess.run(
        [*command, "-c", str(config), "-e", "stderr"], capture_output=True, text=True
    )
    if done.returncode:
        raise Unavailable(f"nginx rejects its configuration:\n{done.stderr.strip()}")


def start_servers(settings: Settings, programs: list[Program]) -> None:
    """Start the supervisor, then PostgreSQL and Redis."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    output = settings.sluice_home / "log" / "supervisord.out"
    config = settings.sluice_home / "etc" / "supervisord.conf"
    with output.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tasks.servers.supervisord", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=layout.process_environment(settings),
            cwd=ROOT,
            start_new_session=True,
        )
    supervisor = Supervisor(settings)
    while not supervisor.is_running():
        if child.poll() is not None:
            raise Unavailable(f"the supervisor exited: {tail(output)}")
        time.sleep(0.02)
    supervisor.start(names(programs, {SERVERS}))
    wait_for_servers(settings, supervisor)


def wait_for_servers(settings: Settings, supervisor: Supervisor) -> None:
    try:
        postgres.wait_for(settings, START_TIMEOUT if not settings.database_url else 10)
    except Unavailable as error:
        if settings.database_url:
            raise
        log = settings.sluice_home / "log" / "postgres.log"
        raise Unavailable(f"{error.detail}\n{tail(log)}") from error
    if settings.redis_url:
        return  # while it is down, submissions use the direct mode
    started = time.monotonic()
    while not (settings.run / "redis.sock").is_socket():
        waited = time.monotonic() - started
        failing = any(m.group == "redis" and m.state in FAILING for m in supervisor.members())
        if waited > START_TIMEOUT or (failing and waited > FAILING_TIMEOUT):
            log = settings.sluice_home / "log" / "redis.log"
            raise Unavailable(f"the embedded Redis does not start; {log} ends:\n{tail(log)}")
        time.sleep(0.02)


def migrate(settings: Settings) -> str:
    command = [sys.executable, "-m", "models.migrate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"the migrations failed: {done.stderr.strip()[-2000:]}")
    return (done.stdout.strip().splitlines() or ["up to date"])[-1]


def start_application(settings: Settings, programs: list[Program]) -> str:
    supervisor = Supervisor(settings)
    starting = names(programs, {WEB, REST})
    supervisor.start(starting)
    wait_until_healthy(settings, supervisor)
    supervisor.wait(starting, {"RUNNING"}, 2)
    members = [m for m in supervisor.members() if m.full_name in starting]
    failed = [m.name for m in members if m.state not in ("RUNNING", "STARTING")]
    text = f"{len(members) - len(failed)} running"
    return (
        text if not failed else f"{text}, not {', '.join(failed)}: see {settings.sluice_home}/log"
    )


def wait_until_healthy(settings: Settings, supervisor: Supervisor) -> None:
    """Wait until /healthz answers through nginx; give up early if a process keeps failing."""
    end = time.monotonic() + START_TIMEOUT
    while not site_answers(settings):
        failing = [m for m in supervisor.members() if m.state in FAILING]
        needed = [m for m in failing if m.group in ("nginx", "web")]
        if time.monotonic() > end or (needed and time.monotonic() > end - START_TIMEOUT + 10):
            name = needed[0].name if needed else "web_00"
            log = settings.sluice_home / "log" / f"{name}.log"
            raise Unavailable(f"{settings.url}/healthz does not answer; {log} ends:\n{tail(log)}")
        time.sleep(0.05)


def names(programs: list[Program], phases: set[int]) -> list[str]:
    """Full names of the members to start in these phases."""
    return [
        program.full_name(member)
        for program in programs
        if program.phase in phases
        for member in program.members[: program.started]
    ]


def tail(path: Path, lines: int = 8) -> str:
    try:
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
