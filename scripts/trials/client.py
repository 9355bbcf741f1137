"""The client of `scripts/faults`: sends uploads at a constant rate and records acknowledged ids.

It follows the docs: failed uploads are retried with the same `Idempotency-Key` after
`Retry-After`. Every fourth upload has no key and is sent once.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import urllib3

from models.settings import ROOT

SUBMISSIONS = "/api/moderation/submissions"
CONNECTIONS = 6
PATIENCE = 30.0  # seconds for one response
GIVE_UP = 120.0  # seconds after which an upload is not retried
LONGEST_PAUSE = 3.0  # seconds; Retry-After assumes many clients, here there is one
CUT = "cut"  # the connection was closed without a response
# The possible verdicts of each kind, from the scores of the sample pictures.
KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "safe": ("safe_chelsea.jpg", frozenset({"approved"})),
    "review": ("review_a.jpg", frozenset({"review"})),
    "reject": ("reject_a_small.jpg", frozenset({"rejected"})),
}
SHARES = ("text", "text", "safe", "review", "text", "safe", "reject", "mixed", "text", "mixed")


@dataclass(frozen=True, slots=True)
class TrialUpload:
    """One upload, by its number; ``kind`` is one of SHARES."""

    number: int
    kind: str

    @property
    def keyed(self) -> bool:
        """Whether it has an Idempotency-Key, and is retried if there is no response."""
        return self.number % 4 != 3

    @property
    def may_become(self) -> frozenset[str]:
        """The correct verdicts."""
        pictures = _pictures(self.kind)
        return KINDS[pictures[-1]][1] if pictures else frozenset({"approved"})


@dataclass
class Sent:
    """Acknowledged uploads by job id, and counts of responses by name."""

    acknowledged: dict[str, TrialUpload] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    given_up: list[TrialUpload] = field(default_factory=list)
    finished: int = 0

    def saw(self) -> str:
        """The responses as text: ``412×200 88×202``."""
        return " ".join(f"{n}×{name}" for name, n in sorted(self.answers.items()))


class Sender(threading.Thread):
    """Sends ``count`` uploads, ``rate`` per second, over a few connections.

    After ``count`` it continues at a quarter of the rate until ``finish``, so that every fault
    happens under load.
    """

    def __init__(self, url: str, key: str, count: int, rate: float) -> None:
        super().__init__(daemon=True)
        self.sent = Sent()
        self.count, self.rate = count, rate
        self._headers = {"Authorization": f"Bearer {key}"}
        self._name = f"{time.time_ns():x}"
        self._turns = itertools.count()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._pool = urllib3.connection_from_url(
            url, maxsize=CONNECTIONS, block=True, retries=False, timeout=urllib3.Timeout(PATIENCE)
        )

    def run(self) -> None:
        """Send them all."""
        started = time.monotonic()
        threads = [
            threading.Thread(target=self._some, args=(started,), daemon=True)
            for _ in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def finish(self) -> None:
        """Stop after ``count`` uploads, and wait until all have a response."""
        self._over.set()
        self.join()

    def _some(self, started: float) -> None:
        for number in self._turns:  # `next` on a counter is atomic
            due = started + (number + 3 * max(0, number - self.count)) / self.rate
            if number >= self.count and self._over.wait(max(0.0, due - time.monotonic())):
                return
            time.sleep(max(0.0, due - time.monotonic()))
            self._send(TrialUpload(number, SHARES[number % len(SHARES)]))
            self.sent.finished += 1

    def _send(self, upload: TrialUpload) -> None:
        end = time.monotonic() + GIVE_UP
        while time.monotonic() < end:
            answer, reported, pause = self._ask(upload)
            with self._lock:
                self.sent.answers[answer] += 1
            if answer in ("200", "202"):
                self.sent.acknowledged[reported["job_id"]] = upload
                return
            if not upload.keyed or answer not in (CUT, "503+Retry-After"):
                break
            time.sleep(pause)
        self.sent.given_up.append(upload)

    def _ask(self, upload: TrialUpload) -> tuple[str, dict[str, Any], float]:
        """The response's name, its content, and the seconds to wait before the next attempt."""
        headers = dict(self._headers)
        if upload.keyed:
            headers["Idempotency-Key"] = f"{self._name}-{upload.number}"
        try:
            reply = self._pool.request(
                "POST", SUBMISSIONS, fields=fields(upload, self._name), headers=headers
            )
            reported = reply.json()
        except (urllib3.exceptions.HTTPError, ValueError):
            return CUT, {}, 0.2
        after = reply.headers.get("Retry-After")
        if reply.status in (429, 503) and after:
            return f"{reply.status}+Retry-After", reported, min(float(after), LONGEST_PAUSE)
        return str(reply.status), reported, 0.2


def fields(upload: TrialUpload, name: str) -> list[tuple[str, Any]]:
    """The multipart fields of an upload; the same bytes at each attempt."""
    number = upload.number
    made: list[tuple[str, Any]] = [
        ("user_id", f"author-{number % 97}"),
        ("external_id", f"{name}-{number}"),
    ]
    if upload.kind in ("text", "mixed"):
        made += [("title", f"Chair {number}"), ("description", "Oak, hardly used, to be fetched")]
    for position, picture in enumerate(_pictures(upload.kind)):
        body = unlike(sample(KINDS[picture][0]), f"{name}-{number}-{position}")
        made.append(("images", (f"{picture}.jpg", body, "image/jpeg")))
    return made


def _pictures(kind: str) -> tuple[str, ...]:
    return {"text": (), "mixed": ("safe", "safe", "safe", "review")}.get(kind, (kind,))


@cache
def sample(name: str) -> bytes:
    """A sample picture by its file's name."""
    return (ROOT / "tests" / "fixtures" / name).read_bytes()


def unlike(jpeg: bytes, mark: str) -> bytes:
    """The same picture with different bytes: a JPEG comment with a mark."""
    comment = mark.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
