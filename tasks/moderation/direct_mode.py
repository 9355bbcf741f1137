"""While Redis is away: workers take submissions from PostgreSQL themselves.

The workers do it, and not a process of its own, because they hold the network in memory already
and would be idle.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import peewee
import redis

from models.database.connection import connection
from models.settings import get_settings
from models.submissions import submission
from tasks.moderation import pipeline
from tasks.queue.lanes import get_redis

ASK_REDIS_EVERY = 1.0
IDLE = 0.05  # seconds between two looks at an empty table
log = logging.getLogger("sluice.direct")


def run(worker: str, counted: Callable[..., Any]) -> None:
    """Watch Redis for ever, and work without it where it is away."""
    while True:
        if redis_answers():
            time.sleep(ASK_REDIS_EVERY)
            continue
        log.warning("Redis is away: taking submissions from PostgreSQL")
        _until_redis(worker, counted)
        log.warning("Redis is back")


def redis_answers() -> bool:
    """Whether Redis can be asked."""
    try:
        return bool(get_redis().ping())
    except redis.RedisError:
        return False


def _until_redis(worker: str, counted: Callable[..., Any]) -> None:
    asked = time.monotonic()
    while time.monotonic() - asked < ASK_REDIS_EVERY or not redis_answers():
        if time.monotonic() - asked >= ASK_REDIS_EVERY:
            asked = time.monotonic()
        try:
            done = _one(worker, counted)
        except peewee.PeeweeException as error:
            log.warning("PostgreSQL: %s", error)
            time.sleep(ASK_REDIS_EVERY)
            continue
        except Exception:
            log.exception("failed in direct mode")
            continue
        if not done:
            time.sleep(IDLE)


def _one(worker: str, counted: Callable[..., Any]) -> bool:
    """Take and do the next submission; whether there was one."""
    lease = f"{worker}:{uuid4().hex[:12]}"
    with connection():
        claimed = submission.claim_any(
            lease, seconds=get_settings().lease_seconds, attempts=get_settings().max_attempts
        )
        if claimed is None:
            return False
        counted(pipeline.work, [claimed], lease)
        return True
