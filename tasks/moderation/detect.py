"""Detection: pictures that belong to no submission are scored, and nothing is stored.

A web process sends a request (``ask``), a worker answers it (``answer``), the web process waits
(``wait``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from huey.registry import Message

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
from tasks.queue.lanes import DETECT, get_huey, get_redis
from tasks.storage import StorageDown, original

ANSWER = "sluice:detect:"
KEPT = 60  # seconds that a result is kept for the web process that waits for it
RANK = 3  # before any submission of the normal lane: a caller is waiting


def ask(ticket: str, keys: list[str]) -> None:
    """Enqueue a request for these storage keys; raises redis.RedisError."""
    message = Message(ticket, DETECT, priority=RANK, args=(ticket, keys), kwargs={})
    get_huey().storage.enqueue(get_huey().serializer.serialize(message), RANK)


def wait(ticket: str, seconds: float) -> list[dict[str, Any]] | None:
    """A result for each picture; None if none came in time. Raises redis.RedisError."""
    reply: Any = get_redis().blpop([ANSWER + ticket], timeout=seconds)
    if reply is None:
        return None
    results: list[dict[str, Any]] = json.loads(reply[1])
    return results


@dataclass
class DetectRequest:
    """The pictures of one request, decoded or being decoded, and their results so far."""

    ticket: str
    coming: list[Future[DetectPicture]]
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class DetectPicture:
    """A decoded picture; ``result`` is what the caller gets, an ``error`` if it has no inputs."""

    result: dict[str, Any]
    hashes: ViewHashes | None = None
    inputs: list[Any] = field(default_factory=list)  # what the network scores
    scores: list[float] = field(default_factory=list)


def answer(requested: Sequence[tuple[str, list[str]]]) -> None:
    """Score the pictures of several requests, (ticket, storage keys) each, and answer each.

    ``NSFW_BATCH`` pictures at a time go through the network together, while the next are decoded. A
    request is answered as soon as the last of its pictures is scored.
    """
    requests = [_begin(ticket, keys) for ticket, keys in requested]
    pictures = [(request, coming) for request in requests for coming in request.coming]
    for start in range(0, len(pictures), get_settings().nsfw_batch):
        group = pictures[start : start + get_settings().nsfw_batch]
        decoded = [coming.result() for _, coming in group]
        _score(decoded)
        for (request, _), picture in zip(group, decoded, strict=True):
            request.results.append(_result(picture))
            if len(request.results) == len(request.coming):
                _reply(request)


def _begin(ticket: str, keys: list[str]) -> DetectRequest:
    budget = decoder().budget()
    return DetectRequest(ticket, [decoding_thread().submit(look, key, budget) for key in keys])


def _reply(request: DetectRequest) -> None:
    pipe = get_redis().pipeline()
    pipe.rpush(ANSWER + request.ticket, json.dumps(request.results))
    pipe.expire(ANSWER + request.ticket, KEPT)
    pipe.execute()


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
    }
    return DetectPicture(result, ViewHashes(picture), list(inputs_of(picture.views)))
