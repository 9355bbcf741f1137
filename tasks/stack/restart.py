"""Starts the processes anew, one by one, while the stack serves: for new code or settings."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Sequence

from models.errors import Conflict, SluiceError
from models.settings import Settings, use_settings
from tasks.servers import certificate, configs, procfile, worker_pool
from tasks.servers.procfile import TRAITS
from tasks.servers.supervisor_client import AWAY, Member, Supervisor, UnixConnection
from tasks.stack.console import Step, fail
from tasks.stack.lock import stack_lock
from tasks.stack.scale import NOT_RUNNING
from tasks.stack.up import PATIENCE, check_nginx, migrate, tail

NGINX_FORGETS = 1.2  # seconds, above `fail_timeout`: then nginx asks an instance again
GROUPS = ("web", "worker", "worker-priority", "standby", "nginx")
UP = ("RUNNING", "STARTING")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/restart")
    parser.add_argument("names", nargs="*", choices=(*GROUPS, []), metavar="NAME")
    options = parser.parse_args()
    try:
        settings = use_settings(Settings.load())
        with stack_lock(settings):
            if not Supervisor(settings).answers():
                raise fail("restart: Sluice is not running: scripts/up starts it", NOT_RUNNING)
            restart(settings, options.names or GROUPS)
    except AWAY as error:
        raise fail(f"restart: the supervisor does not answer: {error}") from error
    except SluiceError as error:
        raise fail(f"restart: {error.detail}") from error
    except KeyboardInterrupt as interrupt:
        raise fail("restart: interrupted; some are still the old ones", 130) from interrupt


def restart(settings: Settings, names: Sequence[str]) -> None:
    """Migrations, then each process in its turn; PostgreSQL and Redis are left alone.

    No request fails: a web instance finishes what it has while nginx asks the others, and the next
    one stops only when this one answers again. No job is lost: a worker finishes the one it has.
    """
    if settings.tls_certificate:
        certificate.install(settings)
    configs.write_all(settings, procfile.programs(settings, worker_pool.wanted(settings)))
    check_nginx(settings)
    with Step("database") as step:
        step.text = migrate(settings)
    supervisor = Supervisor(settings)
    for group in (name for name in GROUPS if name in names):
        if group == "nginx":
            _read_again(settings)
        else:
            _each(settings, supervisor, group)


def _read_again(settings: Settings) -> None:
    with Step("nginx") as step:
        os.kill(int((settings.run / "nginx.master").read_text("ascii")), signal.SIGHUP)
        step.text = "reads its configuration again"


def _each(settings: Settings, supervisor: Supervisor, group: str) -> None:
    """Stop and start the members of a group that run, one after another."""
    members = [m for m in supervisor.members() if m.group == group and m.state in UP]
    with Step(group) as step:
        for number, member in enumerate(members, 1):
            step.note(f"{number} of {len(members)}")
            _one(settings, supervisor, member)
        step.text = f"{len(members)} anew"


def _one(settings: Settings, supervisor: Supervisor, member: Member) -> None:
    name = [member.full_name]
    supervisor.stop(name)
    supervisor.wait(name, {"STOPPED", "EXITED", "FATAL"}, TRAITS[member.group][1] + 5)
    supervisor.start(name)
    end = time.monotonic() + PATIENCE
    while not (supervisor.wait(name, {"RUNNING"}, 5) and _ready(settings, member)):
        if time.monotonic() > end:
            log = settings.sluice_home / "log" / f"{member.name}.log"
            raise Conflict(f"{member.name} does not come back; {log} ends:\n{tail(log)}")
        time.sleep(0.05)
    if member.group == "web":
        time.sleep(NGINX_FORGETS)


def _ready(settings: Settings, member: Member) -> bool:
    """Whether it can do its work: a web instance answers on its own socket."""
    if member.group != "web":
        return True
    connection = UnixConnection(settings.run / f"{member.name}.sock", 5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except AWAY:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main()
