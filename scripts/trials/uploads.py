"""Faults of `scripts/faults` during uploads: closed connections, a full disk, low memory."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

from scripts.trials.client import TrialUpload, fields, sample
from scripts.trials.console import Console
from scripts.trials.kills import back
from scripts.trials.trial import Fault, Scene

BOUNDARY = "sluice-faults"
HALF = 400_000  # bytes of a picture that is never sent whole
FULL_SECONDS = 6.0  # duration of the full disk
STEP = 64 * 1024  # bytes per step when filling the disk


def cut_uploads(scene: Scene) -> None:
    """Clients, and then a web instance, that disappear in the middle of a body."""
    for _ in range(5):
        line = socket.create_connection(("127.0.0.1", scene.stack.settings.port))
        line.sendall(_begun(scene.stack.key, "vanished"))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset
        line.close()
    key = f"cut-{time.time_ns()}"
    before, pid = set(_originals(scene)), scene.stack.pid("web_00")
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(scene.stack.settings.run / "web_00.sock"))
        line.sendall(_begun(scene.stack.key, key))
        scene.until(lambda: _halves(scene, before), 10, "the fault struck: half a file lay there")
        os.killpg(pid, signal.SIGKILL)
    scene.until(lambda: back(scene, "web_00", pid), 60, "the instance is back")
    reported = {_sent_again(scene, key) for _ in range(3)}
    scene.require(
        len(reported) == 1 and "" not in reported, f"the retries are one submission: {reported}"
    )
    [(rows,)] = scene.stack.query(
        f"SELECT count(*) FROM submission WHERE idempotency_key LIKE '%{key}'"
    )
    scene.require(rows == 1, f"one key, one submission: {rows}")


def _begun(key: str, idempotency: str) -> bytes:
    """The beginning of an upload: its headers and half of its picture."""
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="user_id"\r\n\r\ncut\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    head = (
        "POST /api/moderation/submissions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {key}\r\nIdempotency-Key: {idempotency}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(part) + 2 * HALF}\r\n\r\n"
    ).encode()
    return head + part + sample("safe_chelsea.jpg")[:1000] + os.urandom(HALF)


def _originals(scene: Scene) -> Iterator[str]:
    for path in (scene.stack.settings.media / "originals").glob("*/*"):
        yield path.name


def _halves(scene: Scene, before: set[str]) -> bool:
    rows = {row[0] for row in scene.stack.query("SELECT id::text FROM image")}
    return bool(set(_originals(scene)) - before - rows)


def _sent_again(scene: Scene, key: str) -> str:
    url = f"{scene.stack.settings.url}/api/moderation/submissions"
    headers = {"Authorization": f"Bearer {scene.stack.key}", "Idempotency-Key": key}
    body = fields(TrialUpload(900_000, "safe"), key)
    reply = urllib3.request("POST", url, fields=body, headers=headers, timeout=30.0)
    return str(reply.json().get("job_id", "")) if reply.status in (200, 202) else ""


def starve_memory(scene: Scene) -> None:
    """Set MEMORY_THRESHOLD below the memory in use, and back."""
    with _set(scene, "MEMORY_THRESHOLD", 1):
        _paused(scene)
    _resumed(scene)


def fill_disk(scene: Scene) -> None:
    """Fill the stack's small file system, if there is one."""
    if scene.plan.small is None:
        scene.notes.append("by DISK_THRESHOLD alone: no right to mount a file system")
        with _set(scene, "DISK_THRESHOLD", 0):
            _paused(scene)
    else:
        filler = scene.plan.small / "filler"
        try:
            _fill(filler)
            _paused(scene, FULL_SECONDS)
        finally:
            filler.unlink()
    _resumed(scene)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * STEP)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


@contextmanager
def _set(scene: Scene, name: str, value: int) -> Iterator[None]:
    """Change a setting in sluice.env for the block; the web instances are restarted."""
    path = scene.stack.settings.sluice_home / "sluice.env"
    path.write_text(f"{name}={value}\n")
    scene.stack.script("restart", "web")
    try:
        yield
    finally:
        path.unlink()
        scene.stack.script("restart", "web")


def _paused(scene: Scene, seconds: float = 2.0) -> None:
    """While resources are short: uploads get 503, nothing is stored, polling and console work."""
    asked = next(iter(scene.sender.sent.acknowledged))
    refused = scene.sender.sent.answers["503+Retry-After"]
    scene.until(
        lambda: scene.sender.sent.answers["503+Retry-After"] > refused, 15, "uploads get 503"
    )
    time.sleep(5)  # earlier uploads may get a response until SYNC_TIMEOUT is over
    taken = scene.acknowledged()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        scene.require(_polled(scene, asked) == 200, "polling goes on")
        scene.require(scene.console.reads() == 200, "the console reads on")
        time.sleep(0.5)
    scene.require(scene.acknowledged() == taken, "nothing is taken while there is no room")


def _polled(scene: Scene, job_id: str) -> int:
    url = f"{scene.stack.settings.url}/api/moderation/status/{job_id}"
    headers = {"Authorization": f"Bearer {scene.stack.key}"}
    return int(urllib3.request("GET", url, headers=headers, retries=False, timeout=20.0).status)


def _resumed(scene: Scene) -> None:
    taken = scene.acknowledged()
    took = scene.until(lambda: scene.acknowledged() > taken, 20, "uploads are taken again")
    scene.notes.append(f"taken again after {took:.1f} s")


def with_console(strike):
    """A fault during which a person is signed in to the console."""

    def struck(scene: Scene) -> None:
        scene.console = Console(scene.stack)
        strike(scene)

    return struck


FEWER = frozenset({"200", "202", "503+Retry-After", "507"})
FAULTS = (
    Fault(
        "upload-kill",
        "client or instance killed in the middle of an upload: no orphan, a retry is the same one",
        cut_uploads,
        answers=frozenset({"200", "202", "cut"}),
    ),
    Fault(
        "disk-full",
        "no room on the disk: 503 or 507, never 202; the console reads on; no restart is needed",
        with_console(fill_disk),
        {"DISK_THRESHOLD": None, "MEMORY_THRESHOLD": 98},
        answers=FEWER,
        small=True,
    ),
    Fault(
        "memory",
        "memory above the threshold: 503 + Retry-After, polling and console go on",
        with_console(starve_memory),
        {"MEMORY_THRESHOLD": None},
        answers=FEWER,
    ),
)
