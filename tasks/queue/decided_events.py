"""Events from workers to the web processes: these submissions are decided."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

import redis

from tasks.queue.lanes import get_redis

DECIDED = "sluice:decided"
log = logging.getLogger("sluice.events")


def announce(ids: Iterable[UUID]) -> None:
    """Wake the requests that wait for these. They poll the row too, so a lost event is harmless."""
    pipe = get_redis().pipeline(transaction=False)
    for submission_id in ids:
        pipe.publish(DECIDED, str(submission_id))
    try:
        pipe.execute()
    except redis.RedisError as error:
        log.debug("decided event not sent: %s", error)
