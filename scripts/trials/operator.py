"""Faults of `scripts/faults` around the operator: a wrong clock, a restore, a deploy."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg2

from models.settings import ROOT, Settings
from scripts._own_stack import free_port
from scripts.trials.compare import FILES
from scripts.trials.kills import back
from scripts.trials.trial import Fault, Scene
from tasks.servers.supervisor_client import Supervisor

HOUR = 3600
LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
TAKEN_TWICE = "SELECT count(*) FROM submission WHERE attempts > 1"


def move_clocks(scene: Scene) -> None:
    """Set the clocks of workers, the standby and a web instance an hour ahead or behind."""
    library = _library()
    if library is None:
        scene.missed.append("not tried: libfaketime cannot be loaded here")
        return
    files, before = _files(scene), _count(scene, TAKEN_TWICE)
    for group, hours in (("worker", 1), ("standby", 1), ("web", -1)):
        _shift(scene, library, group, hours * HOUR)
    time.sleep(3 if scene.plan.quick else 12)  # time for the sweep and the purge to run
    for group, hours in (("worker", -1), ("standby", -1), ("web", 1)):
        _shift(scene, library, group, hours * HOUR)
    scene.sender.finish()
    scene.require(_count(scene, TAKEN_TWICE) == before, "leases hold: nothing was taken twice")
    scene.require(files <= _files(scene), "nothing is purged early")
    scene.notes.append("workers and standby +1 h and -1 h, web -1 h and +1 h; the database's holds")


def _library() -> Path | None:
    spec = importlib.util.find_spec("libfaketime")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / LIBRARY
    environ = {**os.environ, **_faked(path, HOUR)}
    reported = subprocess.run(["/bin/date", "+%s"], env=environ, capture_output=True, text=True)
    ahead = reported.stdout.strip().isdigit() and int(reported.stdout) - time.time() > HOUR / 2
    return path if ahead else None


def _faked(library: Path, seconds: int) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds:+d}",
        "DONT_FAKE_MONOTONIC": "1",  # as if an operator sets the clock
        "FAKETIME_DONT_RESET": "1",
        "NO_FAKE_STAT": "1",  # file times are the file system's, independent of the clock
        "FAKE_UTIME": "0",
    }


def _shift(scene: Scene, library: Path, group: str, seconds: int) -> None:
    """Restart a group of processes gracefully with another clock."""
    path = scene.stack.settings.sluice_home / "etc" / "commands" / group
    command = path.read_text().splitlines()[-1]
    words = " ".join(f"{name}='{value}'" for name, value in _faked(library, seconds).items())
    path.write_text(f"export {words}\n{command}\n")
    members = Supervisor(scene.stack.settings).members()
    for name in [m.name for m in members if m.group == group and m.pid]:
        before = scene.stack.pid(name)
        scene.stack.kill(name, signal.SIGTERM)
        if group == "web":  # one after the other, as in a deployment
            scene.until(lambda n=name, pid=before: back(scene, n, pid), 60, f"{name} is back")
            time.sleep(1.5)


def _count(scene: Scene, sql: str) -> int:
    return int(scene.stack.query(sql)[0][0])


def _files(scene: Scene) -> set[str]:
    return {path.name for path in (scene.stack.settings.media / "originals").glob("*/*")}


def back_up(scene: Scene) -> None:
    """A backup during the uploads, restored into an empty stack and compared."""
    acknowledged = set(scene.sender.sent.acknowledged)
    saved = scene.plan.folder / "backup.tar"
    scene.stack.script("backup", str(saved))
    home = scene.plan.folder / "backup-restored"
    environ = {**scene.stack.environment, "SLUICE_HOME": str(home), "PORT": str(free_port())}
    environ["WEBHOOK_ALLOWED_HOSTS"] = ""  # the copy must not call the receiver
    restored = _script(environ, "restore", str(saved))
    scene.require("chain intact" in restored, "the audit's chain is whole")
    _script(environ, "up", "--detach")
    try:
        settings = Settings.load({"SLUICE_HOME": str(home)})
        there = _rows(settings, "SELECT id::text FROM submission")
        lost = acknowledged - {row[0] for row in there}
        scene.require(not lost, f"acknowledged before the backup, but not in it: {len(lost)}")
        files = _rows(settings, FILES)
        missing = [k for _, k, _ in files if not (settings.media / "originals" / k).is_file()]
        scene.require(not missing, f"files are missing: {len(missing)}")
        scene.until(lambda: not _open(settings), 60, "what was open in the backup is decided")
    finally:
        _script(environ, "down")
        shutil.rmtree(home)
        saved.unlink()
    scene.notes.append(f"{len(there)} submissions and {len(files)} files came back")


def _script(environ: dict[str, str], name: str, *arguments: str) -> str:
    command = [str(ROOT / "scripts" / name), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def _open(settings: Settings) -> bool:
    return bool(_rows(settings, "SELECT 1 FROM submission WHERE verdict IS NULL"))


def _rows(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(settings.database)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


def deploy(scene: Scene) -> None:
    """`scripts/restart` under load: every process is replaced."""
    names = ("web_00", "web_01", "worker_00", "worker_01", "standby")
    before = {name: scene.stack.pid(name) for name in names}
    scene.stack.script("restart")
    same = [name for name, pid in before.items() if scene.stack.pid(name) == pid]
    scene.require(not same, f"every process is a new one: {same}")


FAULTS = (
    Fault(
        "clock",
        "clocks moved by an hour: leases hold, nothing is purged early",
        move_clocks,
        answers=frozenset({"200", "202", "503+Retry-After", "cut"}),
    ),
    Fault(
        "backup",
        "backup, wipe, restore: the same rows, files and audit chain",
        back_up,
        answers=frozenset({"200", "202"}),
    ),
    Fault(
        "deploy",
        "restart of every process under load: 0 failed requests, 0 lost jobs",
        deploy,
        answers=frozenset({"200", "202"}),
    ),
)
