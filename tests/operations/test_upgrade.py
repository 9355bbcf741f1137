"""An upgrade under load: a stack of the last release becomes this tree's by scripts/restart."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests

from tests.support.api import Api, eventually, unique
from tests.support.stack import ROOT, Stack

LAST_RELEASE = "846ef95"  # 0.1.0; name the next one here when a version is released
GIT = ("git", "-C", str(ROOT), "-c", "safe.directory=*")
WAITS = "waiting for scripts/restart or scripts/migrate"
WAITING = 24  # uploads that the old release queues and that nobody has taken at the upgrade


def release(folder: Path) -> None:
    """The tree of the last release; skips the test where the history does not hold it."""
    done = subprocess.run([*GIT, "archive", LAST_RELEASE], capture_output=True)
    if done.returncode:
        pytest.skip(f"no history with {LAST_RELEASE}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)  # our own files


def this_tree(folder: Path) -> None:
    """The files of this tree as they are, committed or not, in the place of all that is there."""
    for path in folder.iterdir():
        if path.name not in (".venv", "var"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    listed = [*GIT, "ls-files", "-coz", "--exclude-standard"]
    for name in subprocess.run(listed, capture_output=True, check=True).stdout.split(b"\0"):
        source, target = ROOT / name.decode(), folder / name.decode()
        if name and source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def environment(folder: Path) -> None:
    """An environment with this one's packages, so that nothing has to be downloaded."""
    place = folder / ".venv"
    if not place.exists():
        venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
        here, there = (next((base / "lib").glob("python3*")) for base in (Path(sys.prefix), place))
        shutil.rmtree(there / "site-packages")
        (there / "site-packages").symlink_to(here / "site-packages")
        for name in ("gunicorn", "supervisord"):
            text = (Path(sys.prefix) / "bin" / name).read_text()
            (place / "bin" / name).write_text(text.replace(sys.prefix, str(place)))
            (place / "bin" / name).chmod(0o755)
    # The stamp with which scripts/_install.py says that setup.cfg's packages are there.
    code = "import json, _install as i; print(json.dumps(i.requirements([])['install']))"
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=folder / "scripts", capture_output=True, check=True
    )
    lines = json.loads(listed.stdout)
    digest = hashlib.sha256("\n".join([sys.version, *lines]).encode()).hexdigest()
    stamp = {"place": str(place), "groups": {"install": digest}}
    (place / "sluice.json").write_text(json.dumps(stamp))


class Sender(threading.Thread):
    """Sends uploads until it is stopped; keeps what was acknowledged, and what failed."""

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self.api, self.stop = api, threading.Event()
        self.acknowledged: list[str] = []
        self.failed: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            self.send()
            time.sleep(0.2)

    def send(self) -> None:
        try:
            reply = self.api.submit(unique("review_a.jpg"), title="an upload during the upgrade")
        except requests.RequestException as error:
            self.failed.append(repr(error))
            return
        if reply.status_code in (200, 202):
            self.acknowledged.append(reply.json()["job_id"])
        else:
            self.failed.append(reply.text)


class Released(Stack):
    """A stack whose scripts are another tree's; 0.1.0 imports from the folder it is run in."""

    def run(self, *arguments: Any, **more: Any) -> subprocess.CompletedProcess[str]:
        return super().run(*arguments, **{"cwd": self.scripts.parent, **more})


@pytest.fixture
def old() -> Iterator[Stack]:
    """A stack that runs the last release, from a folder of its own."""
    limits = ("MINUTE", "HOUR", "MINUTE_PER_IP")
    settings = {f"MAX_UPLOADS_PER_{name}": "0" for name in limits}
    stack = Released(
        WEB_INSTANCES="2",
        WORKERS="2",
        PRIORITY_WORKERS="1",
        MODERATION_IMAGE_ASYNC="1",
        LEASE_SECONDS="5",
        **settings,
    )
    tree = stack.folder / "app"
    try:
        release(tree)
        environment(tree)
        stack.scripts = tree / "scripts"
        stack.run("up", "--detach")
        yield stack
    finally:
        with contextlib.suppress(FileNotFoundError):
            stack.remove()


def log_of(stack: Stack, name: str) -> str:
    """What a process has logged."""
    return (stack.home / "log" / f"{name}.log").read_text()


def decided(stack: Stack, ids: list[str]) -> bool:
    """Whether all of these submissions are decided."""
    query = "SELECT count(*) FROM submission WHERE status = 'decided' AND id = ANY(%s::uuid[])"
    return stack.sql(query, ids) == [(len(ids),)]


def test_what_the_last_release_queued_and_took_is_decided_once_by_this_one(old: Stack) -> None:
    key = json.loads(old.run("client", "create", "Upgraded", "--json").stdout)["key"]
    sender = Sender(Api(old.url, key))
    workers = [name for name in old.pids() if name.startswith(("worker", "priority"))]
    for name in workers:
        old.kill(name, signal.SIGSTOP)
    for _ in range(WAITING):
        sender.send()
    assert len(sender.acknowledged) == WAITING
    queued = old.redis().zcard("huey.redis.sluice.normal")
    assert queued >= WAITING - len(workers), "the old release's jobs wait in the queue"

    sender.start()
    this_tree(old.scripts.parent)
    environment(old.scripts.parent)
    # A process that dies before scripts/restart comes back by the old command, in the new tree,
    # and waits for the schema; the other web instance serves.
    before = old.pids()
    dead = [*workers, "web_00"]
    for name in dead:
        old.kill(name)
    eventually(lambda: all(WAITS in log_of(old, name) for name in dead), 60)
    told = old.run("restart").stdout
    sender.stop.set()
    sender.join()

    assert sender.failed == []
    after = old.pids()
    kept = {"postgres", "redis", "nginx"}
    assert [name for name in before if name not in kept and after[name] == before[name]] == [], told
    eventually(lambda: decided(old, sender.acknowledged), 300)
    assert not any("UndefinedColumn" in log_of(old, name) for name in dead)
    twice = (
        "SELECT submission_id FROM decision WHERE moderator_id IS NULL AND to_verdict IS NOT NULL"
    )
    assert old.sql(f"{twice} GROUP BY submission_id HAVING count(*) > 1") == []
    assert Api(old.url, key).decided("reject_a.jpg")["verdict"] == "rejected"
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host=str(old.home / "run"), user="sluice_owner", dbname="sluice")
