"""Restarts the processes one by one while the stack serves, for new code or settings."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Sequence

from models.errors import Conflict, Unavailable
from models.settings import Settings
from tasks.servers import (
    certificate,
    configs,
    external_servers,
    layout,
    postgres,
    procfile,
    worker_pool,
)
from tasks.servers.health_probe import web_answers
from tasks.servers.layout import stack_lock
from tasks.servers.procfile import TRAITS
from tasks.servers.supervisor_client import UNREACHABLE, SupervisedProcess, Supervisor
from tasks.stack.console import checked_settings, one_line_errors, warn
from tasks.stack.steps import INTERRUPTED, NOT_RUNNING, Step, fail
from tasks.stack.up import START_TIMEOUT, check_nginx, migrate, tail

NGINX_RETRIES = 1.2  # seconds, above `fail_timeout`: then nginx tries an instance again
GROUPS = ("web", "worker", "worker-priority", "standby", "nginx")
UP = ("RUNNING", "STARTING")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/restart")
    parser.add_argument("names", nargs="*", choices=(*GROUPS, []), metavar="NAME")
    options = parser.parse_args()
    with one_line_errors("restart"):
        settings = checked_settings()
        try:
            with stack_lock(settings):
                if not Supervisor(settings).is_running():
                    raise fail("restart: Sluice is not running: scripts/up starts it", NOT_RUNNING)
                restart(settings, options.names or GROUPS)
        except UNREACHABLE as error:
            raise Unavailable(f"the supervisor does not answer: {error}") from error
        except KeyboardInterrupt as interrupt:
            message = "restart: interrupted; some processes were not restarted"
            raise fail(message, INTERRUPTED) from interrupt


def restart(settings: Settings, names: Sequence[str]) -> None:
    """Apply migrations, then restart each process in turn; PostgreSQL and Redis keep running.

    No request fails: a web instance finishes its requests while nginx uses the other instances, and
    the next one stops only when this one answers again. No job is lost: a worker finishes its job.
    """
    warn(external_servers.unavailable(settings))
    if settings.tls_certificate:
        certificate.install(settings)
    configs.write_all(settings, procfile.programs(settings, worker_pool.sizes(settings)))
    check_nginx(settings)
    with Step("database") as step:
        if not settings.database_url:
            postgres.protect(settings)
        step.text = migrate(settings)
    supervisor = Supervisor(settings)
    for group in (name for name in GROUPS if name in names):
        if group == "nginx":
            _reload_nginx(settings)
        else:
            _restart_group(settings, supervisor, group)


def _reload_nginx(settings: Settings) -> None:
    with Step("nginx") as step:
        os.kill(int((settings.run / "nginx.master").read_text("ascii")), signal.SIGHUP)
        layout.store_url(settings)
        step.text = "configuration reloaded"


def _restart_group(settings: Settings, supervisor: Supervisor, group: str) -> None:
    """Stop and start the running members of a group, one after another."""
    members = [m for m in supervisor.members() if m.group == group and m.state in UP]
    with Step(group) as step:
        for number, member in enumerate(members, 1):
            step.note(f"{number} of {len(members)}")
            _restart_one(settings, supervisor, member)
        step.text = f"{len(members)} restarted"


def _restart_one(settings: Settings, supervisor: Supervisor, member: SupervisedProcess) -> None:
    name = [member.full_name]
    supervisor.stop(name)
    supervisor.wait(name, {"STOPPED", "EXITED", "FATAL"}, TRAITS[member.group][1] + 5)
    supervisor.start(name)
    end = time.monotonic() + START_TIMEOUT
    while not (supervisor.wait(name, {"RUNNING"}, 5) and _ready(settings, member)):
        if time.monotonic() > end:
            log = settings.sluice_home / "log" / f"{member.name}.log"
            raise Conflict(f"{member.name} did not restart; {log} ends:\n{tail(log)}")
        time.sleep(0.05)
    if member.group == "web":
        time.sleep(NGINX_RETRIES)


def _ready(settings: Settings, member: SupervisedProcess) -> bool:
    """Whether it is ready: a web instance must answer on its own socket."""
    return member.group != "web" or web_answers(settings, member.name)


if __name__ == "__main__":
    main()
