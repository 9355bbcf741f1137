"""Detection without a submission: pictures are scored, and go with the request that asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from huey.registry import Message

from models.settings import get_settings
from tasks import storage as stores
from tasks.classifier.base import ClassifierDown
from tasks.classifier.configured import engine
from tasks.hash_bank.hashing import pdq, sha256_file
from tasks.images.decoder import Budget
from tasks.images.limits import Limits, PictureError
from tasks.moderation.job import ahead, decoder, inputs_of
from tasks.observability import metrics
from tasks.queue.lanes import DETECT, get_huey, get_redis
from tasks.storage import StorageDown, original

ANSWER = "sluice:detect:"
KEPT = 60  # seconds that an answer waits for its asker
RANK = 3  # before any submission of the normal lane: somebody is waiting


def ask(ticket: str, keys: list[str]) -> None:
    """Enqueue the question; raises redis.RedisError."""
    message = Message(ticket, DETECT, priority=RANK, args=(ticket, keys), kwargs={})
    get_huey().storage.enqueue(get_huey().serializer.serialize(message), RANK)


def wait(ticket: str, seconds: float) -> list[dict[str, Any]] | None:
    """The answer, or None where none came in time; raises redis.RedisError."""
    found: Any = get_redis().blpop([ANSWER + ticket], timeout=seconds)
    if found is None:
        return None
    answer: list[dict[str, Any]] = json.loads(found[1])
    return answer


@dataclass
class Question:
    """An asker's pictures, decoded or on the way, and what is known of them."""

    ticket: str
    coming: list[Future[Seen]]
    told: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Seen:
    """A picture as it was decoded, or its ``error``."""

    told: dict[str, Any]
    inputs: list[Any] = field(default_factory=list)  # what the network takes
    scores: list[float] = field(default_factory=list)


def answer(asked: Sequence[tuple[str, list[str]]]) -> None:
    """Score the pictures of several askers, (ticket, keys) each, and leave each an answer.

    All go through the network together, ``NSFW_BATCH`` at a time, while the next are decoded; who
    asked is answered as soon as the last of their pictures is scored.
    """
    questions = [_begun(ticket, keys) for ticket, keys in asked]
    pictures = [(question, coming) for question in questions for coming in question.coming]
    for start in range(0, len(pictures), get_settings().nsfw_batch):
        group = pictures[start : start + get_settings().nsfw_batch]
        seen = [coming.result() for _, coming in group]
        _score(seen)
        for (question, _), one in zip(group, seen, strict=True):
            question.told.append(_told(one))
            if len(question.told) == len(question.coming):
                _reply(question)


def _begun(ticket: str, keys: list[str]) -> Question:
    budget = decoder().budget()
    return Question(ticket, [ahead().submit(look, key, budget) for key in keys])


def _reply(question: Question) -> None:
    pipe = get_redis().pipeline()
    pipe.rpush(ANSWER + question.ticket, json.dumps(question.told))
    pipe.expire(ANSWER + question.ticket, KEPT)
    pipe.execute()


def _score(seen: Sequence[Seen]) -> None:
    """Ask the network once for all of these pictures."""
    views = [view for one in seen for view in one.inputs]
    if not views:
        return
    try:
        with metrics.inference(len(views)):
            scores = iter(engine().score(views))
    except ClassifierDown as error:
        for one in seen:
            if one.inputs:
                one.told = {"error": str(error), "code": "classifier_down"}
        return
    for one in seen:
        one.scores = [next(scores) for _ in one.inputs]


def _told(one: Seen) -> dict[str, Any]:
    return {"score": round(max(one.scores), 6), **one.told} if one.scores else one.told


def look(key: str, budget: Budget) -> Seen:
    """One picture: ``{width, height, frames, sha256, pdq}`` and its views, or its ``error``."""
    limits = Limits(get_settings().max_pixels, max_frames=get_settings().max_frames)
    try:
        with stores.of(get_settings()).file(original(key)) as path:
            picture = decoder().look(path, limits, budget)
            digest = sha256_file(path)
    except PictureError as error:
        return Seen({"error": str(error), "code": error.code})
    except FileNotFoundError:
        return Seen({"error": "The asker has gone.", "code": "gone"})
    except StorageDown as error:
        return Seen({"error": error.detail, "code": "gone"})
    told = {
        "width": picture.width,
        "height": picture.height,
        "frames": picture.frames,
        "sha256": digest,
        "pdq": pdq(picture.grey)[0].hex(),
    }
    return Seen(told, list(inputs_of(picture.views)))
