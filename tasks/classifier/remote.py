"""The remote engine: another Sluice, or any service that answers like its `detect`."""

from __future__ import annotations

import io
import json
import math
import random
import threading
import time
from collections.abc import Sequence

import urllib3
from PIL import Image

from tasks.classifier.base import ClassifierDown

PER_REQUEST = 5  # images; the default of MAX_FILES_PER_REQUEST at the other end
MAX_REPLY = 65_536  # bytes
CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 10.0  # seconds, for a whole reply
BUDGET = 2  # times the read timeout after which no further service is asked
FIRST_REST, LONGEST_REST = 1.0, 30.0  # seconds


class _Failed(Exception):
    """One service did not answer as it should; the next is asked."""


class _Service:
    """One address and its health; a failed one rests, longer each time, before it is tried again.

    After its rest one request tries it, while the others go elsewhere.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked = 0  # requests that are under way
        self._failures = 0
        self._rests_until = 0.0

    @property
    def rests(self) -> float:
        """Seconds that it is still to be left alone; 0 where it may be asked."""
        if self._failures and self.asked:
            return LONGEST_REST  # its one try is under way
        return max(0.0, self._rests_until - time.monotonic())

    def answered(self) -> None:
        """It is well."""
        self._failures, self._rests_until = 0, 0.0

    def failed(self) -> None:
        """It rests: a second, then twice as long each time."""
        rest = min(LONGEST_REST, FIRST_REST * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        self._rests_until = time.monotonic() + rest * random.uniform(0.8, 1.2)  # nosec B311


class RemoteClassifier:
    """Scores by `POST {url}`, multipart field `images`, answered by `[{"score": 0.93}, ...]`.

    `url` may be several, separated by commas. The one with the fewest requests under way is asked,
    by chance among equals, so that all workers together spread evenly; where it fails, the next.
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
            raise ClassifierDown("No address of a remote classifier is given.")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._read_timeout = read_timeout
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        )

    def prepare(self, image: Image.Image) -> Image.Image:
        """The image: a request is made of several."""
        return image

    def score(self, images: Sequence[Image.Image]) -> list[float]:
        """The NSFW probability of each 256 x 256 RGB image. Raises `ClassifierDown`."""
        scores: list[float] = []
        for start in range(0, len(images), PER_REQUEST):
            scores += self._ask_any([_png(image) for image in images[start : start + PER_REQUEST]])
        return scores

    def _ask_any(self, pictures: list[bytes]) -> list[float]:
        failures: list[str] = []
        deadline = time.monotonic() + BUDGET * self._read_timeout
        for service in self._in_turn():
            if failures and time.monotonic() > deadline:
                break
            with self._lock:
                service.asked += 1
            try:
                scores = self._ask(service.url, pictures)
            except _Failed as failure:
                service.failed()
                failures.append(f"{service.url}: {failure}")
            else:
                service.answered()
                return scores
            finally:
                with self._lock:
                    service.asked -= 1
        raise ClassifierDown("No remote classifier answers. " + "; ".join(failures))

    def _in_turn(self) -> list[_Service]:
        """Those that are well, the least busy first; then those that rest: better than none."""
        shuffled = random.sample(self._services, len(self._services))  # nosec B311
        return sorted(shuffled, key=lambda service: (service.rests, service.asked))

    def _ask(self, url: str, pictures: list[bytes]) -> list[float]:
        fields = [("images", (f"{i}.png", data, "image/png")) for i, data in enumerate(pictures)]
        try:
            reply = self._pool.request(
                "POST",
                url,
                fields=fields,
                headers=self._headers,
                redirect=False,  # a redirect would carry the key elsewhere
                preload_content=False,
            )
            body = self._bounded(reply)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _Failed(str(error)) from error
        if reply.status != 200:
            raise _Failed(f"status {reply.status}")
        return _parse(body, len(pictures))

    def _bounded(self, reply: urllib3.BaseHTTPResponse) -> bytes:
        """The body, no longer than `MAX_REPLY` and no later than the read timeout in all."""
        body, deadline = b"", time.monotonic() + self._read_timeout
        try:
            while part := reply.read1(8192):
                body += part
                if len(body) > MAX_REPLY or time.monotonic() > deadline:
                    raise _Failed("the reply is too long or too slow")
        except BaseException:
            reply.close()  # what is left of it must not meet the next request
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
        raise _Failed("the reply is not a list of scores") from error
    if len(scores) != count or not all(_is_probability(score) for score in scores):
        raise _Failed(f"the reply does not hold {count} scores between 0 and 1")
    return [float(score) for score in scores]


def _is_probability(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1  # type: ignore[arg-type, operator]
