"""The fault of `scripts/faults` that strangers cause: floods without a key, beside a client.

The strangers connect from another loopback address than the client: nginx counts by address.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import urllib3

from scripts.trials.client import SUBMISSIONS
from scripts.trials.trial import Fault, Scene

STRANGER = ("127.0.0.2", 0)
LARGE = 50 * 1024 * 1024  # bytes of a body: what five pictures may have
FORMS = 10
HALF_SENT = 60
SIGN_INS = 100
HOLD = 5.0  # seconds that half-sent bodies stay open
PAUSE = 0.2  # seconds between two uploads of the watched client
LONGEST_WAIT = 5.0  # seconds that an upload of the client may take
MOST_MEMORY = 200  # MB that the web processes may grow by, together
MOST_DISK = 64  # MB of request bodies that nginx may hold for one address
SIGN_IN = "/console/sign-in"


@dataclass
class Cost:
    """What a flood cost: memory of the web and bodies at nginx in MB, waits in seconds."""

    before: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    waits: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    def text(self, name: str, strangers: Counter[str]) -> str:
        """One line for the report."""
        got = " ".join(f"{count}×{answer}" for answer, count in sorted(strangers.items()))
        waits = sorted(self.waits)
        p50, p95 = waits[len(waits) // 2], waits[int(len(waits) * 0.95)]
        return (
            f"{name}: web {self.before:.0f} to {self.memory:.0f} MB, bodies {self.disk:.0f} MB,"
            f" client p50 {p50:.2f} s, p95 {p95:.2f} s, worst {waits[-1]:.2f} s, got {got}"
        )


def strangers(scene: Scene) -> None:
    """Each flood in turn; the uploads of the client go on."""
    floods: dict[str, Callable[[Scene], Counter[str]]] = {
        "idle": lambda _: _idle(),
        "forms": large_forms,
        "half-sent bodies": half_sent_bodies,
        "sign-ins": sign_ins,
    }
    for name, flood in floods.items():
        scene.doing = name
        scene.until(lambda: _answers_quickly(scene), 120, f"{name}: the last flood is over")
        with _watched(scene) as cost:
            got = flood(scene)
        scene.notes.append(cost.text(name, got))
        grown = cost.memory - cost.before
        scene.require(grown < MOST_MEMORY, f"{name}: the web grows by {grown:.0f} MB")
        scene.require(cost.disk < MOST_DISK, f"{name}: nginx holds {cost.disk:.0f} MB of bodies")
        scene.require(
            max(cost.waits) < LONGEST_WAIT, f"{name}: the client waits {max(cost.waits):.1f} s"
        )
        faults = {answer: count for answer, count in cost.answers.items() if answer >= 500}
        scene.require(not faults, f"{name}: the client gets {faults}")
        scene.require("500" not in got, f"{name}: strangers get 500")


def _answers_quickly(scene: Scene) -> bool:
    """Whether ten responses in a row, of all instances, take less than a tenth of a second."""
    url = scene.stack.settings.url + "/healthz"
    started = time.monotonic()
    for _ in range(10):
        urllib3.request("GET", url, retries=False, timeout=60.0)
    return time.monotonic() - started < 1.0


def _idle() -> Counter[str]:
    time.sleep(HOLD)
    return Counter()


def large_forms(scene: Scene) -> Counter[str]:
    """Url-encoded bodies with millions of fields, all at once."""
    body = b"a&" * (LARGE // 2)
    head = _head(SIGN_IN, LARGE, "application/x-www-form-urlencoded")
    return _at_once(FORMS, lambda _: _exchange(scene, head, body))


def half_sent_bodies(scene: Scene) -> Counter[str]:
    """Bodies that stop before their end, to a page that takes none."""
    head = _head("/healthz", LARGE + 1, "application/octet-stream")
    body = b"x" * LARGE
    until = time.monotonic() + HOLD
    return _at_once(HALF_SENT, lambda _: _exchange(scene, head, body, until=until))


def sign_ins(scene: Scene) -> Counter[str]:
    """Sign-ins of unknown names, all at once: each would compute a password hash."""
    url = scene.stack.settings.url + SIGN_IN
    with urllib3.PoolManager(SIGN_INS, source_address=STRANGER, retries=False) as pool:
        page = pool.request("GET", url)
        token = re.search(rb'csrf_token" value="([^"]+)', page.data)
        headers = {"Cookie": page.headers["Set-Cookie"].split(";")[0]}

        def sign_in(number: int) -> str:
            fields = dict.fromkeys(("name", "password"), f"stranger-{number}")
            fields["csrf_token"] = token[1].decode() if token else ""
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                made = pool.request_encode_body(
                    "POST", url, fields, headers=headers, encode_multipart=False, timeout=90.0
                )
                return str(made.status)
            return "cut"

        return _at_once(SIGN_INS, sign_in)


def _at_once(count: int, one: Callable[[int], str]) -> Counter[str]:
    with ThreadPoolExecutor(count) as threads:
        return Counter(threads.map(one, range(count)))


def _head(path: str, length: int, kind: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"Content-Type: {kind}", f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode()


def _exchange(scene: Scene, head: bytes, body: bytes, until: float = 0.0) -> str:
    """The status of the response, ``cut`` without one, or ``open`` if the bytes are held."""
    address = ("127.0.0.1", scene.stack.settings.port)
    with (
        contextlib.suppress(OSError),
        socket.create_connection(address, 90, source_address=STRANGER) as line,
    ):
        line.sendall(head)
        with contextlib.suppress(OSError):  # it was refused before all was sent
            line.sendall(body)
        if until:
            line.settimeout(max(0.1, until - time.monotonic()))
        try:
            status = line.recv(64).split()
        except TimeoutError:
            return "open"
        return status[1].decode() if len(status) > 1 else "cut"
    return "cut"


@contextmanager
def _watched(scene: Scene) -> Iterator[Cost]:
    """Sample memory and disk, and send uploads of the client, for the block and a second more."""
    cost, over = Cost(before=_web_memory(scene)), threading.Event()

    def sample() -> None:
        while not over.wait(0.05):
            cost.memory = max(cost.memory, _web_memory(scene))
            cost.disk = max(cost.disk, _held_bodies(scene))

    asking = threading.Thread(target=_ask, args=(scene, cost, over))
    threads = [threading.Thread(target=sample), asking]
    for thread in threads:
        thread.start()
    try:
        yield cost
        time.sleep(1.0)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _ask(scene: Scene, cost: Cost, over: threading.Event) -> None:
    """Uploads of a text, one after the other; their times are the waits of a client."""
    url = scene.stack.settings.url + SUBMISSIONS
    headers = {"Authorization": f"Bearer {scene.stack.key}"}
    with urllib3.PoolManager(retries=False, timeout=90.0) as pool:
        while not over.wait(PAUSE):
            fields = {"user_id": f"beside-{random.random()}", "title": "A chair"}  # nosec B311
            started = time.monotonic()
            try:
                cost.answers[pool.request("POST", url, fields, headers=headers).status] += 1
            except urllib3.exceptions.HTTPError:
                cost.answers[599] += 1
            cost.waits.append(time.monotonic() - started)


def _web_memory(scene: Scene) -> float:
    """Megabytes that the web processes hold together."""
    total = 0
    for pid in scene.stack.pids("web"):
        with contextlib.suppress(psutil.Error):
            master = psutil.Process(pid)
            for process in (master, *master.children(recursive=True)):
                total += process.memory_info().rss
    return total / 2**20


def _held_bodies(scene: Scene) -> float:
    """Megabytes of request bodies that nginx holds in files, deleted ones included."""
    folder, total = str(scene.stack.settings.sluice_home / "tmp" / "nginx" / "body"), 0
    for pid in scene.stack.pids("nginx"):
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(pid).children(recursive=True):
                total += _held_by(process.pid, folder)
    return total / 2**20


def _held_by(pid: int, folder: str) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{name}"
            with contextlib.suppress(OSError):
                if os.readlink(path).startswith(folder):
                    total += os.stat(path).st_blocks * 512
    return total


FAULTS = (
    Fault(
        "strangers",
        "floods without a key: memory, disk and the client's waits stay bounded",
        strangers,
        {"NGINX_RATE": None, "NGINX_CONNECTIONS": None, "NGINX_UPLOADS": None},
        answers=frozenset({"200", "202"}),
    ),
)
