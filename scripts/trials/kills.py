"""Faults of `scripts/faults` that kill processes: workers, Redis, PostgreSQL, web instances."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Iterator

import redis
import urllib3

from scripts.trials.trial import Fault, Scene
from tasks.servers.supervisor_client import Supervisor

CHANCE = random.SystemRandom()  # chooses the process that dies, differently in each run


def kill_workers(scene: Scene) -> None:
    """SIGKILL a random worker, twenty times, whatever it is doing."""
    times = 6 if scene.plan.quick else 20
    for count in range(times):
        running = [m.name for m in Supervisor(scene.stack.settings).members() if _works(m)]
        if running:
            scene.stack.kill(CHANCE.choice(running))
        scene.doing = f"{count + 1}/{times} workers killed"
        time.sleep(0.3)


def _works(member: object) -> bool:
    return member.group == "worker" and bool(member.pid)  # type: ignore[attr-defined]


def kill_redis(scene: Scene) -> None:
    """SIGKILL Redis and keep it down for some seconds; until it is back the mode is ``direct``."""
    with _held(scene):
        scene.stack.kill("redis")
        scene.until(lambda: mode(scene) == "direct", 10, "mode direct shows")
        time.sleep(1 if scene.plan.quick else 8)
    scene.until(lambda: mode(scene) not in ("direct", ""), 30, "the queue is used again")


def flush_redis(scene: Scene) -> None:
    """FLUSHALL, three times, while the workers are stopped and the queue is long."""
    client = redis.Redis.from_url(scene.stack.settings.redis)
    gone = 0
    for _ in range(3):
        _signal_workers(scene, signal.SIGSTOP)
        time.sleep(0.7)
        gone += sum(client.zcard(key) for key in client.scan_iter(match="huey.*", _type="zset"))
        client.flushall()
        _signal_workers(scene, signal.SIGCONT)
    scene.notes.append(f"{gone} jobs were gone")
    scene.require(gone, "the fault struck: jobs were in the queue")


def _signal_workers(scene: Scene, number: int) -> None:
    for pid in scene.stack.pids("worker"):
        os.kill(pid, number)


def restart_postgres(scene: Scene) -> None:
    """Immediate shutdown: every session is closed, nothing is flushed, recovery from the WAL."""
    scene.stack.kill("postgres", signal.SIGQUIT)
    before = scene.acknowledged()
    back = scene.until(lambda: scene.stack.query("SELECT 1"), 30, "PostgreSQL is back")
    served = scene.until(lambda: scene.acknowledged() > before + 3, 15, "serving again")
    scene.notes.append(f"back after {back:.1f} s, serving {served:.1f} s later")


def kill_web(scene: Scene) -> None:
    """SIGKILL one of the two web instances, three times under load, and wait until it is up."""
    times = 1 if scene.plan.quick else 3
    for count in range(times):
        name = f"web_{count % 2:02}"
        before = scene.stack.pid(name)
        os.killpg(before, signal.SIGKILL)
        scene.doing = f"{count + 1}/{times} killed"
        scene.until(lambda n=name, pid=before: back(scene, n, pid), 60, f"{name} is back")
        time.sleep(1.5)  # until nginx tries it again


def back(scene: Scene, name: str, before: int) -> bool:
    """Whether a killed web instance has a new process that responds."""
    if scene.stack.pid(name) == before:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        probe.connect(str(scene.stack.settings.run / f"{name}.sock"))
        probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b" 200 " in probe.recv(64)


@contextlib.contextmanager
def _held(scene: Scene) -> Iterator[None]:
    """Stop the supervisor during the block, so that it does not restart what died."""
    pid = int((scene.stack.settings.run / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def mode(scene: Scene) -> str:
    """The current mode from the API; empty without a response."""
    url = f"{scene.stack.settings.url}/api/moderation/stats"
    headers = {"Authorization": f"Bearer {scene.stack.key}"}
    try:
        reply = urllib3.request("GET", url, headers=headers, retries=False, timeout=5.0)
    except urllib3.exceptions.HTTPError:
        return ""
    return str(reply.json().get("current_mode", "")) if reply.status == 200 else ""


SHORT_LEASE = {"LEASE_SECONDS": 3}
FAULTS = (
    Fault(
        "worker-kill",
        "20 × SIGKILL of a random worker: 0 lost, 0 twice, all decided within 60 s",
        kill_workers,
        {"WORKERS": 3},
        quick=SHORT_LEASE,
        answers=frozenset({"200", "202"}),
    ),
    Fault(
        "redis-kill",
        "SIGKILL of Redis: 0 lost, mode direct shows, all decided within 60 s of its return",
        kill_redis,
        quick=SHORT_LEASE,
        answers=frozenset({"200", "202", "503+Retry-After"}),
    ),
    Fault(
        "redis-flush",
        "FLUSHALL: 0 lost, all decided within 60 s",
        flush_redis,
        quick=SHORT_LEASE,
        answers=frozenset({"200", "202", "503+Retry-After"}),
    ),
    Fault(
        "postgres-immediate",
        "restart in immediate mode: 0 lost, only 503 + Retry-After, serving within 15 s",
        restart_postgres,
        quick=SHORT_LEASE,
        answers=frozenset({"200", "202", "503+Retry-After"}),
    ),
    Fault(
        "web-kill",
        "SIGKILL of a web instance: the other answers, no second submission by the retry",
        kill_web,
        quick=SHORT_LEASE,
        answers=frozenset({"200", "202", "cut"}),
    ),
)
