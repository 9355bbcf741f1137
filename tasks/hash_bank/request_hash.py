"""Known images that were given as pictures: asking a worker to see their look.

A job is only a wake-up: that a look is owed stands in the entry's row, and may be asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable

from huey.registry import Message

from models.hash_bank.known_hash import KnownHash
from tasks.queue.lanes import get_huey

LEARN = "tasks.worker.learn"
RANK = 3  # before any submission of the normal lane: somebody is waiting


def ask(numbers: Iterable[int]) -> None:
    """Have workers look at the pictures of these entries; raises redis.RedisError."""
    for number in numbers:
        message = Message(f"known-{number}", LEARN, priority=RANK, args=(number,), kwargs={})
        get_huey().storage.enqueue(get_huey().serializer.serialize(message), RANK)


def ask_again() -> None:
    """Ask for every look that is still owed; what waits in the queue already stays as it is."""
    ask(KnownHash.owing())
