"""The remote engine: another Sluice, or any service with the same `detect` call."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections.abc import Sequence

import urllib3
from PIL import Image

from tasks.classifier.base import ClassifierDown, is_probability

PER_REQUEST = 5  # images; the default of MAX_FILES_PER_REQUEST at the other end
MAX_REPLY = 65_536  # bytes
CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 10.0  # seconds, for a whole reply
BUDGET = 2  # times the read timeout; after that no further service is tried
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 30.0  # seconds


class _Failed(Exception):
    """One service failed; the next one is tried."""


class _Service:
    """One address and its health; after a failure it is not tried during a growing backoff.

    After the backoff a single request tries it, while other requests use other services.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.in_flight = 0  # requests
        self._failures = 0
        self._backoff_until = 0.0

    @property
    def backoff(self) -> float:
        """Remaining seconds of its backoff; 0 if it may be tried."""
        if self._failures and self.in_flight:
            return LONGEST_BACKOFF  # its single attempt is in flight
        return max(0.0, self._backoff_until - time.monotonic())

    def succeeded(self) -> None:
        """Reset the backoff."""
        self._failures, self._backoff_until = 0, 0.0

    def failed(self) -> None:
        """Start a backoff: a second, then twice as long each time."""
        backoff = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        self._backoff_until = time.monotonic() + backoff * random.uniform(0.8, 1.2)  # nosec B311


class RemoteClassifier:
    """Scores by `POST {url}`, multipart field `images`; the response is `[{"score": 0.93}, ...]`.

    `url` may hold several, separated by commas. The one with the fewest requests in flight is
    tried first, a random one among equals, so that all workers together spread evenly. If it
    fails, the next one is tried.
    """

    name = "remote"

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self._services = [_Service(part.strip()) for part in url.split(",") if part.strip()]
        if not self._services:
            raise ClassifierDown("MODERATION_IMAGE_SERVICE_URL has no address.")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._read_timeout = read_timeout
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        )

    def prepare(self, image: Image.Image) -> Image.Image:
        """The image itself: a request needs several."""
        return image

    def score(self, images: Sequence[Image.Image]) -> list[float]:
        """The NSFW probability of each 256 x 256 RGB image. Raises `ClassifierDown`."""
        scores: list[float] = []
        for start in range(0, len(images), PER_REQUEST):
            scores += self._score_any(
                [_png(image) for image in images[start : start + PER_REQUEST]]
            )
        return scores

    def _score_any(self, pictures: list[bytes]) -> list[float]:
        failures: list[str] = []
        deadline = time.monotonic() + BUDGET * self._read_timeout
        for service in self._by_preference():
            if failures and time.monotonic() > deadline:
                break
            with self._lock:
                service.in_flight += 1
            try:
                scores = self._request(service.url, pictures)
            except _Failed as failure:
                service.failed()
                failures.append(f"{service.url}: {failure}")
            else:
                service.succeeded()
                return scores
            finally:
                with self._lock:
                    service.in_flight -= 1
        raise ClassifierDown("No remote classifier answers. " + "; ".join(failures))

    def _by_preference(self) -> list[_Service]:
        """Healthy services first, the least busy one before; then those in backoff."""
        shuffled = random.sample(self._services, len(self._services))  # nosec B311
        return sorted(shuffled, key=lambda service: (service.backoff, service.in_flight))

    def _request(self, url: str, pictures: list[bytes]) -> list[float]:
        fields = [("images", (f"{i}.png", data, "image/png")) for i, data in enumerate(pictures)]
        try:
            reply = self._pool.request(
                "POST",
                url,
                fields=fields,
                headers=self._headers,
                redirect=False,  # a redirect would send the key to another server
                preload_content=False,
            )
            body = self._bounded(reply)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _Failed(str(error)) from error
        if reply.status != 200:
            raise _Failed(f"status {reply.status}")
        return _parse(body, len(pictures))

    def _bounded(self, reply: urllib3.BaseHTTPResponse) -> bytes:
        """The body, of at most `MAX_REPLY` bytes and within the read timeout as a whole."""
        body, deadline = b"", time.monotonic() + self._read_timeout
        try:
            while part := reply.read1(8192):
                body += part
                if len(body) > MAX_REPLY or time.monotonic() > deadline:
                    raise _Failed("the response is too long or too slow")
        except BaseException:
            reply.close()  # the next request must not read the rest of it
            raise
        reply.release_conn()
        return body


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _parse(body: bytes, count: int) -> list[float]:
    try:
        scores = [item["score"] for item in json.loads(body)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _Failed("the response is not a list of scores") from error
    if len(scores) != count or not all(is_probability(score) for score in scores):
        raise _Failed(f"the response does not have {count} scores between 0 and 1")
    return [float(score) for score in scores]
