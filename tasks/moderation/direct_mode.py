"""Direct mode: while Redis is away, workers take submissions from PostgreSQL themselves.

The workers do it and not another process, because they have the network in memory and would be
idle.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import peewee
import redis

from models.database.connection import connection
from tasks.moderation import pipeline
from tasks.moderation.leases import claim_next
from tasks.queue import redis_connection
from tasks.queue.lanes import get_redis

ASK_REDIS_EVERY = 0.3  # seconds; what an upload waits for if Redis has just stopped responding
ASK_DATABASE_EVERY = 1.0  # seconds between two attempts while PostgreSQL is down
IDLE = 0.02  # seconds between two claims while no submission waits
Counting = Callable[[], AbstractContextManager[None]]  # counts one job
log = logging.getLogger("sluice.direct")


def run(worker: str, counting: Counting) -> None:
    """Watch Redis for ever, and take submissions from PostgreSQL while it is away."""
    while True:
        if redis_answers():
            _pause()
            continue
        log.warning("Redis is away: taking submissions from PostgreSQL")
        _until_redis_answers(worker, counting)
        log.warning("Redis is back")


def redis_answers() -> bool:
    """Whether Redis answers a ping."""
    try:
        return bool(get_redis().ping())
    except redis.RedisError:
        return False


def _pause() -> None:
    """Wait until Redis is asked again; less if another thread finds that it does not respond."""
    until = time.monotonic() + ASK_REDIS_EVERY
    while time.monotonic() < until and not redis_connection.trouble():
        time.sleep(IDLE)


def _until_redis_answers(worker: str, counting: Counting) -> None:
    while not redis_answers():
        try:
            moderated = _moderate_next(worker, counting)
        except peewee.PeeweeException as error:
            log.warning("PostgreSQL: %s", error)
            time.sleep(ASK_DATABASE_EVERY)
            continue
        except Exception:
            log.exception("failed in direct mode")
            continue
        if not moderated:
            time.sleep(IDLE)


def _moderate_next(worker: str, counting: Counting) -> bool:
    """Claim and moderate the next submission; whether there was one."""
    with connection():
        claimed = claim_next(worker)
        if not claimed.submissions:
            return False
        with counting():
            errors = pipeline.moderate(claimed)
            if errors:
                raise errors[0]
        return True
