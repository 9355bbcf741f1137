"""What workers tell the web processes at once: that a submission was decided."""

from __future__ import annotations

import logging
from uuid import UUID

import redis

from tasks.queue import client

DECIDED = "sluice:decided"
log = logging.getLogger("sluice.events")


def announce(submission_id: UUID) -> None:
    """Wake whoever waits for this submission; they look at the row anyway, so loss is harmless."""
    try:
        client.publish(DECIDED, str(submission_id))
    except redis.RedisError as error:
        log.debug("not announced: %s", error)
