"""Waiting for a decision: workers announce it in Redis, and PostgreSQL has the last word."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID

import redis
from flask import Flask

from models.database.connection import connection
from models.submissions.submission import Submission
from tasks.queue.decided_events import DECIDED
from tasks.queue.lanes import get_redis

LOOK_EVERY = 1.0  # seconds between two looks at the row while announcements are heard
LOOK_EVERY_DEAF = 0.1  # and while Redis is away
log = logging.getLogger("sluice.waiting")


class Announcements:
    """One subscription a process, which wakes those who wait for a submission."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[threading.Event]] = defaultdict(set)
        self._told: list[Callable[[], object]] = []
        self._listener: threading.Thread | None = None
        self.heard = False
        self.closed = False

    def close(self) -> None:
        """Answer everybody who waits, as far as things are, so that they do not hold up a stop."""
        self.closed = True
        for job_id in list(self._waiting):
            self._wake(job_id)

    def add(self, job_id: str) -> threading.Event:
        """An event that is set when the submission is announced."""
        self.start()
        event = threading.Event()
        self._waiting[job_id].add(event)
        return event

    def start(self) -> None:
        """Begin to listen, if nobody has before."""
        if self._listener is None:
            self._listener = threading.Thread(target=self._listen, name="decided", daemon=True)
            self._listener.start()

    def tell(self, function: Callable[[], object]) -> None:
        """Call this at every announcement, once something listens; it must not wait."""
        self._told.append(function)

    def remove(self, job_id: str, event: threading.Event) -> None:
        """Nobody waits with this event any more."""
        self._waiting[job_id].discard(event)
        if not self._waiting[job_id]:
            del self._waiting[job_id]

    def _listen(self) -> None:
        while True:
            try:
                self._subscribed()
            except redis.RedisError as error:
                log.warning("announcements are not heard: %s", error)
            self.heard = False
            time.sleep(0.5)

    def _subscribed(self) -> None:
        with get_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(DECIDED)
            self.heard = True
            while True:
                message = pubsub.get_message(timeout=5.0)
                if message is not None:
                    self._wake(message["data"].decode())

    def _wake(self, job_id: str) -> None:
        for function in self._told:
            function()
        for event in list(self._waiting.get(job_id, ())):
            event.set()


announcements = Announcements()


def init_app(app: Flask) -> None:
    """Let the server end the waiting when it stops."""
    app.extensions["waiting"] = announcements


def until_decided(job_id: UUID, client_id: int, seconds: float) -> Submission:
    """The submission once it is decided, or as it is when the time is up; raises NotFound.

    No announcement is missed: the event is there before the row is looked at.
    """
    until = time.monotonic() + seconds
    event = announcements.add(str(job_id))
    try:
        while True:
            with connection():
                row = Submission.of_client(job_id, client_id)
            left = until - time.monotonic()
            if row.is_decided or left <= 0 or announcements.closed:
                return row
            every = LOOK_EVERY if announcements.heard else LOOK_EVERY_DEAF
            event.wait(min(left, every))
            event.clear()
    finally:
        announcements.remove(str(job_id), event)
