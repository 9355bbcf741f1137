"""The slots of one process in which uploads are received and committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from models.clients.client import Client
from models.database.connection import release
from webapp.http.timing import measured
from webapp.uploads.concurrency_limit import ConcurrencyLimit

_slots = ConcurrencyLimit()


@contextmanager
def upload_slot(client: Client) -> Iterator[None]:
    """Hold a slot for the block; the timing ``line`` is the wait for it. Raises Unavailable.

    A waiting request holds no database connection: the running ones need them.
    """
    release()
    with ExitStack() as held:
        with measured("line"):
            held.enter_context(_slots.slot(client.id, client.weight))
        yield
