"""Detection without a submission: pictures are scored, and go with the request that asked."""

from __future__ import annotations

import json
from typing import Any

from huey.registry import Message

from tasks import metrics
from tasks import storage as stores
from tasks.classifier.base import ClassifierDown
from tasks.decoder import Budget
from tasks.engine import engine
from tasks.hashing import pdq, sha256_file
from tasks.job import decoder
from tasks.opening import Limits, PictureError
from tasks.queue import DETECT, client, huey, settings
from tasks.storage import StorageDown, original

ANSWER = "sluice:detect:"
KEPT = 60  # seconds that an answer waits for its asker
RANK = 3  # before any submission of the normal lane: somebody is waiting


def ask(ticket: str, keys: list[str]) -> None:
    """Enqueue the question; raises redis.RedisError."""
    message = Message(ticket, DETECT, priority=RANK, args=(ticket, keys), kwargs={})
    huey.storage.enqueue(huey.serializer.serialize(message), RANK)


def wait(ticket: str, seconds: float) -> list[dict[str, Any]] | None:
    """The answer, or None where none came in time; raises redis.RedisError."""
    found: Any = client.blpop([ANSWER + ticket], timeout=seconds)
    if found is None:
        return None
    answer: list[dict[str, Any]] = json.loads(found[1])
    return answer


def answer(ticket: str, keys: list[str]) -> None:
    """Score the pictures and leave the answer for ``wait``."""
    budget = decoder(settings).budget()
    told = [look(key, budget) for key in keys]
    pipe = client.pipeline()
    pipe.rpush(ANSWER + ticket, json.dumps(told))
    pipe.expire(ANSWER + ticket, KEPT)
    pipe.execute()


def look(key: str, budget: Budget) -> dict[str, Any]:
    """One picture's ``{score, width, height, frames, sha256, pdq}``, or its ``error``."""
    limits = Limits(settings.max_pixels, max_frames=settings.max_frames)
    try:
        with stores.of(settings).file(original(key)) as path:
            picture = decoder(settings).look(path, limits, budget)
            digest = sha256_file(path)
        with metrics.inference(len(picture.views)):
            scores = engine().score(picture.views)
    except PictureError as error:
        return {"error": str(error), "code": error.code}
    except ClassifierDown as error:
        return {"error": str(error), "code": "classifier_down"}
    except FileNotFoundError:
        return {"error": "The asker has gone.", "code": "gone"}
    except StorageDown as error:
        return {"error": error.detail, "code": "gone"}
    return {
        "score": round(max(scores), 6),
        "width": picture.width,
        "height": picture.height,
        "frames": picture.frames,
        "sha256": digest,
        "pdq": pdq(picture.grey)[0].hex(),
    }
