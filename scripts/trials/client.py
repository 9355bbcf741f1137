"""The client of `scripts/faults`: sends uploads at a pace and keeps every id that was acknowledged.

It behaves as the docs ask a client to: what fails is sent again under the same `Idempotency-Key`,
after `Retry-After`. Every fourth upload has no key and is sent once.
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
PATIENCE = 30.0  # seconds for one answer
GIVE_UP = 120.0  # seconds after which an upload is not sent again
LONGEST_PAUSE = 3.0  # seconds; Retry-After is for many clients, here is one
CUT = "cut"  # the connection ended without an answer
# What may become of each kind, from the scores of the sample pictures.
KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "safe": ("safe_chelsea.jpg", frozenset({"approved"})),
    "review": ("review_a.jpg", frozenset({"review"})),
    "reject": ("reject_a_small.jpg", frozenset({"rejected"})),
}
SHARES = ("text", "text", "safe", "review", "text", "safe", "reject", "mixed", "text", "mixed")


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload, by its number; ``kind`` is one of SHARES."""

    number: int
    kind: str

    @property
    def keyed(self) -> bool:
        """Whether it has an Idempotency-Key, and is sent again where no answer came."""
        return self.number % 4 != 3

    @property
    def may_become(self) -> frozenset[str]:
        """The verdicts that are right."""
        pictures = _pictures(self.kind)
        return KINDS[pictures[-1]][1] if pictures else frozenset({"approved"})


@dataclass
class Sent:
    """What was acknowledged, by job id, and what was answered, by its name."""

    acknowledged: dict[str, Upload] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    given_up: list[Upload] = field(default_factory=list)
    finished: int = 0

    def saw(self) -> str:
        """What the client saw, in words: ``412×200 88×202``."""
        return " ".join(f"{n}×{name}" for name, n in sorted(self.answers.items()))


class Sender(threading.Thread):
    """Sends ``count`` uploads, ``rate`` a second, over a few connections.

    Past ``count`` it goes on at a quarter of the pace until ``finish``, so that no fault strikes
    when nobody sends.
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
        """Send no more than ``count``, and wait until all of them are answered."""
        self._over.set()
        self.join()

    def _some(self, started: float) -> None:
        for number in self._turns:  # `next` on a counter is atomic
            due = started + (number + 3 * max(0, number - self.count)) / self.rate
            if number >= self.count and self._over.wait(max(0.0, due - time.monotonic())):
                return
            time.sleep(max(0.0, due - time.monotonic()))
            self._send(Upload(number, SHARES[number % len(SHARES)]))
            self.sent.finished += 1

    def _send(self, upload: Upload) -> None:
        end = time.monotonic() + GIVE_UP
        while time.monotonic() < end:
            answer, told, pause = self._ask(upload)
            with self._lock:
                self.sent.answers[answer] += 1
            if answer in ("200", "202"):
                self.sent.acknowledged[told["job_id"]] = upload
                return
            if not upload.keyed or answer not in (CUT, "503+Retry-After"):
                break
            time.sleep(pause)
        self.sent.given_up.append(upload)

    def _ask(self, upload: Upload) -> tuple[str, dict[str, Any], float]:
        """The answer's name, what it told, and the seconds to wait before the next try."""
        headers = dict(self._headers)
        if upload.keyed:
            headers["Idempotency-Key"] = f"{self._name}-{upload.number}"
        try:
            reply = self._pool.request(
                "POST", SUBMISSIONS, fields=fields(upload, self._name), headers=headers
            )
            told = reply.json()
        except (urllib3.exceptions.HTTPError, ValueError):
            return CUT, {}, 0.2
        after = reply.headers.get("Retry-After")
        if reply.status in (429, 503) and after:
            return f"{reply.status}+Retry-After", told, min(float(after), LONGEST_PAUSE)
        return str(reply.status), told, 0.2


def fields(upload: Upload, name: str) -> list[tuple[str, Any]]:
    """The multipart fields of an upload; the same bytes each time that it is sent."""
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
    """The same picture under other bytes: a JPEG comment with a mark."""
    comment = mark.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
