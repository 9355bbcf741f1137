"""PostgreSQL's data folder with all migrations, made once a run and copied into each stack.

`initdb` and the migrations give every stack the same files. The copy shares the passwords of the
owner and the superuser, and no other secret: the rows are those of a fresh database, and what else
is in SLUICE_HOME/secrets each stack makes for itself at `up`. Nothing is forced to the disk
(``fsync``): no test cuts the power, and what a killed server wrote is in the system's cache. Root's
stacks run as another user and make their own folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.settings import ROOT, Settings
from tasks.servers import configs, layout, postgres

VARIABLE = "TESTS_DATABASE_TEMPLATE"  # names the folder to all processes of a run


def pytest_configure(config: Any) -> None:
    """Name the folder, in the process that starts the others."""
    if not hasattr(config, "workerinput") and os.geteuid() != 0:
        folder = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))  # a short path: a socket is in it
        os.environ[VARIABLE] = str(folder)
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def copy_into(home: Path) -> None:
    """Give a SLUICE_HOME that has none its data folder; nothing outside a run of the tests."""
    if not os.environ.get(VARIABLE) or (home / "postgres").exists():
        return
    template = _made(Path(os.environ[VARIABLE]))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", template, home / "postgres"], check=True)
    (home / "secrets").mkdir(mode=0o700, exist_ok=True)
    passwords = template.parent / "var" / "secrets" / "pgpass"
    subprocess.run(["cp", "-a", passwords, home / "secrets"], check=True)


def _made(folder: Path) -> Path:
    """The template; the first process makes it, the others wait for the lock."""
    data = folder / "postgres"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not data.exists():
            _make(folder / "var")
            (folder / "var" / "postgres").rename(data)
    return data


def _make(home: Path) -> None:
    settings = Settings.load({"SLUICE_HOME": str(home)})
    layout.make_folders(settings)
    configs.write_postgres(settings)
    postgres.prepare(settings)
    with (home / "postgres" / "postgresql.auto.conf").open("a") as file:
        file.write("fsync = off\n")
    with _serving(home):
        postgres.wait_for(settings, 60)
        environment = {**os.environ, "SLUICE_HOME": str(home)}
        command = [sys.executable, "-m", "models.migrate"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


@contextlib.contextmanager
def _serving(home: Path) -> Iterator[None]:
    """PostgreSQL in that folder; afterwards everything is on the disk and no process is left."""
    command = [str(layout.postgres_folder() / "postgres"), "-D", str(home / "postgres")]
    command += ["-c", f"config_file={home / 'etc/postgresql.conf'}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield
        finally:
            server.send_signal(signal.SIGINT)
