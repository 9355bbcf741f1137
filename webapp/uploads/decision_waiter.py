"""Waits for decisions: workers publish them in Redis; the row in PostgreSQL is authoritative."""

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
from tasks.queue import redis_connection
from tasks.queue.lanes import DECIDED, get_redis

POLL_SUBSCRIBED = 1.0  # seconds between two reads of the row while subscribed
POLL_FIRST, POLL_UNSUBSCRIBED = 0.01, 0.1  # the same while Redis is down: often at first
LOOK_EVERY = 0.5  # seconds after which the listener looks whether Redis still works
log = logging.getLogger("sluice.waiting")


class Announcements:
    """One subscription per process, which wakes the threads that wait for a submission."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[threading.Event]] = defaultdict(set)
        self._callbacks: list[Callable[[], object]] = []
        self._listener: threading.Thread | None = None
        self.subscribed = False
        self.closed = False

    def close(self) -> None:
        """Wake all waiting threads: they respond with the current state, and a stop is quick."""
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
        """Start the listener if it is not running."""
        if self._listener is None:
            self._listener = threading.Thread(target=self._listen, name="decided", daemon=True)
            self._listener.start()

    def on_announcement(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` at every announcement; it must not block. Does not start listening."""
        self._callbacks.append(callback)

    def remove(self, job_id: str, event: threading.Event) -> None:
        """Forget an event that no thread waits for any more."""
        self._waiting[job_id].discard(event)
        if not self._waiting[job_id]:
            del self._waiting[job_id]

    def _listen(self) -> None:
        while True:
            try:
                self._receive()
            except redis.RedisError as error:
                log.warning("subscription to decisions lost: %s", error)
            self.subscribed = False
            time.sleep(0.5)

    def _receive(self) -> None:
        with get_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(DECIDED)
            self.subscribed = True
            before = redis_connection.recoveries()
            while redis_connection.recoveries() == before:  # else messages may have been lost
                self.subscribed = not redis_connection.trouble()
                message = pubsub.get_message(timeout=LOOK_EVERY)
                if message is not None:
                    self._wake(message["data"].decode())

    def _wake(self, job_id: str) -> None:
        for callback in self._callbacks:
            callback()
        for event in list(self._waiting.get(job_id, ())):
            event.set()


announcements = Announcements()


def init_app(app: Flask) -> None:
    """Register the announcements, which the server closes when it stops."""
    app.extensions["waiting"] = announcements


def until_decided(job_id: UUID, client_id: int, seconds: float) -> Submission:
    """The submission once it is decided, or in its state after ``seconds``; raises NotFound.

    No announcement is missed: the event is registered before the row is read.
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
            interval = _interval(seconds - left)
            event.wait(min(left, interval))
            event.clear()
    finally:
        announcements.remove(str(job_id), event)


def _interval(waited: float) -> float:
    """Seconds until the row is read again; while Redis is down nothing announces a decision."""
    if announcements.subscribed and not redis_connection.trouble():
        return POLL_SUBSCRIBED
    return min(POLL_UNSUBSCRIBED, max(POLL_FIRST, waited / 8))
