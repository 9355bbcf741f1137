"""Sends the demo's uploads to the stack and counts the responses."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import urllib3

from tasks.demo.uploads import DemoUpload

SUBMISSIONS = "/api/moderation/submissions"
RESPONSE_TIMEOUT = 30.0  # seconds


def is_up(url: str) -> bool:
    """Whether a stack answers at that URL."""
    try:
        return urllib3.request("GET", f"{url}/healthz", retries=False, timeout=5.0).status == 200
    except urllib3.exceptions.HTTPError:
        return False


class Tally:
    """The results of the uploads so far; it is thread-safe."""

    def __init__(self) -> None:
        self.sent = 0
        self.modes: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.waiting: set[str] = set()
        self._lock = threading.Lock()

    def count(self, status: int, response: dict[str, Any], seconds: float) -> None:
        """Count the response to an upload."""
        with self._lock:
            self.sent += 1
            if status not in (200, 202):
                self.refused[f"{status} {str(response.get('type')).rpartition(':')[2]}"] += 1
                return
            self.seconds.append(seconds)
            self.modes[response["mode"]] += 1
            if response.get("verdict"):
                self.verdicts[response["verdict"]] += 1
            else:
                self.waiting.add(response["job_id"])

    def fail(self, reason: str) -> None:
        """Count an upload without a response."""
        with self._lock:
            self.sent += 1
            self.refused[reason] += 1

    def decide(self, job_id: str, verdict: str) -> None:
        """Count the verdict of an upload that was waiting."""
        with self._lock:
            self.waiting.discard(job_id)
            self.verdicts[verdict] += 1


class Sender:
    """A client of the API with a number of connections."""

    def __init__(self, url: str, key: str, connections: int) -> None:
        self.tally = Tally()
        self._connections = connections
        self._headers = {"Authorization": f"Bearer {key}"}
        timeout = urllib3.Timeout(RESPONSE_TIMEOUT)
        self._pool = urllib3.connection_from_url(
            url, maxsize=connections, block=True, retries=False, timeout=timeout
        )

    def send_all(
        self, uploads: Iterable[DemoUpload], rate: float, show: Callable[[Tally], None]
    ) -> None:
        """Send ``rate`` uploads per second (0: no limit) and call ``show`` with the progress."""
        started = time.monotonic()
        room = threading.Semaphore(2 * self._connections)  # so that drawings do not fill the memory
        with ThreadPoolExecutor(self._connections) as threads:
            for number, upload in enumerate(uploads):
                if rate:
                    time.sleep(max(0.0, started + number / rate - time.monotonic()))
                room.acquire()
                sending: Future[None] = threads.submit(self._send, upload)
                sending.add_done_callback(lambda _: room.release())
                show(self.tally)
        show(self.tally)

    def _send(self, upload: DemoUpload) -> None:
        fields: list[tuple[str, Any]] = list(upload.fields.items())
        fields += [("images", picture) for picture in upload.pictures]
        started = time.perf_counter()
        try:
            reply = self._pool.request("POST", SUBMISSIONS, fields=fields, headers=self._headers)
            response = reply.json()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            self.tally.fail(type(error).__name__)
            return
        self.tally.count(reply.status, response, time.perf_counter() - started)

    def follow(self, seconds: float, show: Callable[[Tally], None]) -> None:
        """Poll for missing verdicts, until all are there or the time is up."""
        end = time.monotonic() + seconds
        while self.tally.waiting and time.monotonic() < end:
            with ThreadPoolExecutor(min(8, self._connections)) as threads:
                for job_id in list(self.tally.waiting):
                    threads.submit(self._poll, job_id, end)
            show(self.tally)
            time.sleep(0.5)

    def _poll(self, job_id: str, end: float) -> None:
        if time.monotonic() > end:
            return
        url = f"/api/moderation/status/{job_id}"
        try:
            response = self._pool.request("GET", url, headers=self._headers).json()
        except (urllib3.exceptions.HTTPError, ValueError):
            return
        if response.get("verdict"):
            self.tally.decide(job_id, response["verdict"])
