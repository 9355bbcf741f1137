"""Runs one process of the Procfile without our supervisor: ``python -m tasks.stack.run NAME``.

For systemd, containers and hosts with one process each, which share a PostgreSQL and a Redis.
"""

from __future__ import annotations

import argparse
import os
import resource
import stat
import subprocess
from typing import NoReturn

from models.errors import Invalid, SettingError
from models.settings import ROOT, Settings
from tasks.observability import metric_files
from tasks.servers import certificate, configs, layout, procfile
from tasks.stack.console import checked_settings, one_line_errors
from tasks.stack.up import check_nginx

# Not the embedded servers, and not autoscale, which needs our own supervisor.
NAMES = ("web", "worker", "worker-priority", "standby", "nginx")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/run")
    parser.add_argument("name")
    parser.add_argument("number", type=int, nargs="?", default=0)
    options = parser.parse_args()
    os.umask(0o077)
    with one_line_errors("run"):
        become(checked_settings(), options.name, options.number)


def become(settings: Settings, name: str, number: int) -> NoReturn:
    """Prepare what this process needs, then replace this one by it."""
    check(settings, name)
    layout.make_folders(settings)
    if name == "nginx":
        prepare_nginx(settings)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.chdir(ROOT)
    command = dict(procfile.read())[name]
    os.execve("/bin/sh", ["sh", "-c", command], environment(settings, name, number))  # nosec B606


def check(settings: Settings, name: str) -> None:
    """Raises Invalid or SettingError with what is wrong."""
    if name not in NAMES:
        raise Invalid(f"{name!r} is not one of {', '.join(NAMES)}")
    if name == "nginx":
        return
    if not (settings.database_url and settings.redis_url):
        raise SettingError(
            "DATABASE_URL and REDIS_URL are required; only scripts/up has its own servers"
        )
    layout.check_secrets(settings)


def prepare_nginx(settings: Settings) -> None:
    if settings.tls_certificate:
        certificate.install(settings)
    layout.write(settings.sluice_home / "etc" / "nginx.conf", configs.nginx(settings))
    check_nginx(settings)
    pipe_output()


def pipe_output() -> None:
    """Send the output through a pipe if it is a socket, as with systemd.

    nginx opens its log by the name /dev/stdout, and a socket cannot be opened by name.
    """
    if stat.S_ISSOCK(os.fstat(1).st_mode):
        reader, writer = os.pipe()
        subprocess.Popen(["/bin/cat"], stdin=reader)  # ends when nginx closes the other end
        os.dup2(writer, 1)


def environment(settings: Settings, name: str, number: int) -> dict[str, str]:
    """The environment and the process name that our supervisor would pass."""
    stem = name.removeprefix("worker-")
    member = stem if name in procfile.SINGLE else f"{stem}_{number:02}"
    own = {"PROCESS_NAME": member, "INSTANCE": f"{number:02}"}
    if metric_files.FOLDER in os.environ:  # containers of one host share their metrics
        own[metric_files.FOLDER] = os.environ[metric_files.FOLDER]
    return {**layout.process_environment(settings), **own}


if __name__ == "__main__":
    main()
