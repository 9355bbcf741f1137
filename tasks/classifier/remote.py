"""The remote engine: another Sluice, or any service that answers like its `detect`."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Sequence

import urllib3
from PIL import Image

from tasks.classifier.base import ClassifierDown

PER_REQUEST = 5  # images; the default of MAX_FILES_PER_REQUEST at the other end
MAX_REPLY = 65_536  # bytes
CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 10.0  # seconds, for a whole reply


class _Failed(Exception):
    """One service did not answer as it should; the next is asked."""


class RemoteClassifier:
    """Scores by `POST {url}`, multipart field `images`, answered by `[{"score": 0.93}, ...]`.

    `url` may be several, separated by commas. The one that answered last is asked first, so a dead
    one costs its timeout once and not for every picture.
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
        self._urls = [part.strip() for part in url.split(",") if part.strip()]
        if not self._urls:
            raise ClassifierDown("No address of a remote classifier is given.")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._read_timeout = read_timeout
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
        failures = []
        for url in list(self._urls):
            try:
                scores = self._ask(url, pictures)
            except _Failed as failure:
                failures.append(f"{url}: {failure}")
                continue
            if url != self._urls[0]:
                self._urls = [url, *(other for other in self._urls if other != url)]
            return scores
        raise ClassifierDown("No remote classifier answers. " + "; ".join(failures))

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
