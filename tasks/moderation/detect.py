"""Detection: pictures that belong to no submission are scored, and nothing is stored.

A web process sends a request (``ask``), a worker answers it (``answer``), the web process waits
(``wait``).
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from huey.registry import Message

from models.clients.client import Client
from models.settings import get_settings
from tasks import storage as stores
from tasks.classifier import engine
from tasks.classifier.base import ClassifierDown
from tasks.hash_bank.hashing import sha256_file
from tasks.hash_bank.view_hashes import ViewHashes
from tasks.images.decoder import Budget
from tasks.images.limits import Limits, PictureError
from tasks.moderation.job import decoder, decoding_thread, inputs_of
from tasks.observability import metrics
from tasks.queue.fair_order import CONSOLE
from tasks.queue.lane_storage import SYNC_RANK
from tasks.queue.lanes import DETECT, get_huey, get_redis
from tasks.storage import StorageDown, original

ANSWER = "sluice:detect:"
KEPT = 60  # seconds that a result is kept for the web process that waits for it
LONGEST_TURN = 0.5  # seconds; requests that are not begun then go back to the queue


def ask(ticket: str, keys: list[str], client: Client) -> str:
    """Enqueue a client's request for these storage keys; returns the ticket to ``wait`` with.

    It takes its client's turn, as an upload does that somebody waits for. The ticket names the
    client, because a worker of the release before takes two arguments. Raises redis.RedisError.
    """
    job = DetectJob(f"{client.id}-{client.weight}-{ticket}", keys)
    _enqueue(job)
    return job.ticket


def _enqueue(job: DetectJob) -> None:
    message = Message(job.ticket, DETECT, priority=SYNC_RANK, args=tuple(job), kwargs={})
    data = get_huey().serializer.serialize(message)
    get_huey().storage.add([(data, SYNC_RANK, job.flow, job.weight)])


def wait(ticket: str, seconds: float) -> list[dict[str, Any]] | None:
    """A result for each picture; None if none came in time. Raises redis.RedisError."""
    reply: Any = get_redis().blpop([ANSWER + ticket], timeout=seconds)
    if reply is None:
        return None
    results: list[dict[str, Any]] = json.loads(reply[1])
    return results


class DetectJob(NamedTuple):
    """A queued request: its ticket, which begins with its client and the client's weight."""

    ticket: str
    keys: list[str]

    @property
    def flow(self) -> str:
        """The flow of the queue that pays for it; of no client if the release before sent it."""
        client_id, _, rest = self.ticket.partition("-")
        return client_id if rest else CONSOLE

    @property
    def weight(self) -> int:
        """The weight of its client."""
        return int(self.ticket.split("-")[1]) if "-" in self.ticket else 1


@dataclass
class DetectRequest:
    """The pictures of one request, decoded or being decoded, and their results so far."""

    job: DetectJob
    coming: list[Future[DetectPicture]]
    seconds: float = 0.0  # of decoding and of the network
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class DetectPicture:
    """A decoded picture; ``result`` is what the caller gets, an ``error`` if it has no inputs."""

    result: dict[str, Any]
    hashes: ViewHashes | None = None
    inputs: list[Any] = field(default_factory=list)  # what the network scores
    scores: list[float] = field(default_factory=list)
    spent: float = 0.0  # seconds of decoding


def answer(requested: Sequence[DetectJob]) -> int:
    """Score the pictures of several requests and answer each; returns how many were answered.

    ``NSFW_BATCH`` pictures at a time go through the network together, while the next are decoded. A
    request is answered as soon as the last of its pictures is scored. Requests that are not begun
    after ``LONGEST_TURN`` go back to the queue, where it may be another client's turn.
    """
    waiting, begun = deque(requested), list[DetectRequest]()
    pictures: deque[tuple[DetectRequest, Future[DetectPicture]]] = deque()
    until = time.monotonic() + LONGEST_TURN
    size = get_settings().nsfw_batch
    while waiting or pictures:
        while waiting and len(pictures) < 2 * size and (time.monotonic() < until or not begun):
            begun.append(_begin(waiting.popleft()))
            pictures += [(begun[-1], coming) for coming in begun[-1].coming]
        if not pictures:
            _return(waiting)
            break
        _answer_group([pictures.popleft() for _ in range(min(size, len(pictures)))])
    return len(begun)


def _answer_group(group: Sequence[tuple[DetectRequest, Future[DetectPicture]]]) -> None:
    decoded = [coming.result() for _, coming in group]
    started = time.monotonic()
    _score(decoded)
    each = (time.monotonic() - started) / len(group)
    for (request, _), picture in zip(group, decoded, strict=True):
        request.seconds += each + picture.spent
        request.results.append(_result(picture))
        if len(request.results) == len(request.coming):
            _reply(request)


def _return(waiting: Iterable[DetectJob]) -> None:
    """Put requests back into the queue, at no charge."""
    for job in waiting:
        _charge(job, 0.0)
        _enqueue(job)


def _begin(job: DetectJob) -> DetectRequest:
    budget = decoder().budget()
    coming = [decoding_thread().submit(look, key, budget) for key in job.keys]
    return DetectRequest(job, coming)


def _reply(request: DetectRequest) -> None:
    _charge(request.job, request.seconds)
    pipe = get_redis().pipeline()
    pipe.rpush(ANSWER + request.job.ticket, json.dumps(request.results))
    pipe.expire(ANSWER + request.job.ticket, KEPT)
    pipe.execute()


def _charge(job: DetectJob, seconds: float) -> None:
    get_huey().storage.charge(SYNC_RANK, job.flow, seconds)


def _score(pictures: Sequence[DetectPicture]) -> None:
    """Score all of these pictures in one call of the network."""
    inputs = [each for picture in pictures for each in picture.inputs]
    if not inputs:
        return
    try:
        with metrics.inference(len(inputs)):
            scores = iter(engine().score(inputs))
    except ClassifierDown as error:
        for picture in pictures:
            if picture.inputs:
                picture.result = {"error": str(error), "code": "classifier_down"}
        return
    for picture in pictures:
        picture.scores = [next(scores) for _ in picture.inputs]


def _result(picture: DetectPicture) -> dict[str, Any]:
    if not picture.scores or picture.hashes is None:
        return picture.result
    worst = max(range(len(picture.scores)), key=picture.scores.__getitem__)
    code, _ = picture.hashes.of(worst)  # of the view that has the score
    return {"score": round(picture.scores[worst], 6), **picture.result, "pdq": code.hex()}


def look(key: str, budget: Budget) -> DetectPicture:
    """Decode one picture: its size, frames and SHA-256, its hashes and inputs; or an error."""
    started = time.monotonic()
    picture = _look(key, budget)
    picture.spent = time.monotonic() - started
    return picture


def _look(key: str, budget: Budget) -> DetectPicture:
    limits = Limits(get_settings().max_pixels, max_frames=get_settings().max_frames)
    try:
        with stores.of(get_settings()).file(original(key)) as path:
            picture = decoder().look(path, limits, budget)
            digest = sha256_file(path)
    except PictureError as error:
        return DetectPicture({"error": str(error), "code": error.code})
    except FileNotFoundError:
        return DetectPicture({"error": "The asker has gone.", "code": "gone"})
    except StorageDown as error:
        return DetectPicture({"error": error.detail, "code": "gone"})
    result = {
        "width": picture.width,
        "height": picture.height,
        "frames": picture.frames,
        "sha256": digest,
        "doubts": picture.doubts,
    }
    return DetectPicture(result, ViewHashes(picture), list(inputs_of(picture.views)))
