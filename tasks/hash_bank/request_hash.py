"""Known images that were added as pictures: enqueue the job that computes their PDQ hash.

A job is only a wake-up: the entry's row says that the hash is missing, so it can be enqueued again.
"""

from __future__ import annotations

from collections.abc import Iterable

from huey.registry import Message

from models.hash_bank.known_hash import KnownHash
from tasks.queue.lanes import get_huey

LEARN = "tasks.worker.learn"
RANK = 3  # before any submission of the normal lane, because a person waits


def enqueue(numbers: Iterable[int]) -> None:
    """Enqueue the hashing of these entries; raises redis.RedisError."""
    for number in numbers:
        message = Message(f"known-{number}", LEARN, priority=RANK, args=(number,), kwargs={})
        get_huey().storage.enqueue(get_huey().serializer.serialize(message), RANK)


def enqueue_owed() -> None:
    """Enqueue every missing hash; jobs that are already queued are not changed."""
    enqueue(KnownHash.owing())
