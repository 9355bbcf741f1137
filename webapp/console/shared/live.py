"""Live pages by server-sent events: one producer a process, however many browsers listen.

The producer renders once a second and only while somebody listens, and between two ticks as soon as
something was decided, if the last time is long enough ago. A listener keeps the
latest text of each fragment that it has not sent yet, so that a slow browser costs a bounded
amount of memory and still ends up with the newest state.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import peewee
from flask import Blueprint, Flask, Response, current_app
from flask_login import current_user, login_required

from models.database.connection import connection, release
from models.people.moderator import ModeratorSession
from tasks.load import snapshot
from webapp.uploads.decision_waiter import announcements

EVERY = 1.0  # seconds between two ticks
PUSH_EVERY = 0.5  # seconds between two ticks that a decision has asked for
PING = 15.0  # seconds of silence after which a comment keeps the connection open
ASK_SESSION = 60.0  # seconds between two looks at whether the listener is still signed in
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

live = Blueprint("live", __name__, url_prefix="/console")
log = logging.getLogger(__name__)

Fragments = dict[str, str]


class Listener:
    """The fragments that one browser has not got yet."""

    def __init__(self) -> None:
        self._waiting: Fragments = {}
        self._changed = threading.Condition()

    def put(self, fragments: Fragments) -> None:
        """Take newer texts; they replace older ones of the same name."""
        with self._changed:
            self._waiting.update(fragments)
            self._changed.notify()

    def take(self, seconds: float) -> Fragments:
        """What has changed, waiting at most so long for it; may be empty."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(seconds)  # also ended by an empty put, which closes the stream
            taken, self._waiting = self._waiting, {}
            return taken


class Broadcast:
    """Renders fragments while somebody listens and hands on what changed."""

    def __init__(self, render: Callable[[], Fragments]) -> None:
        self._render = render
        self._listeners: set[Listener] = set()
        self._latest: Fragments = {}
        self._lock = threading.Lock()
        self._running = False
        self._woken = threading.Event()
        self.closed = False

    def close(self) -> None:
        """End every stream, so that an open page does not hold up a stop."""
        self.closed = True
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.put({})

    def wake(self) -> None:
        """Something has changed: do not wait for the next tick."""
        self._woken.set()

    def listen(self) -> Listener:
        """A new listener; the first one starts the producer."""
        listener = Listener()
        with self._lock:
            self._listeners.add(listener)
            if self._running:
                listener.put(self._latest)
            else:
                self._running, self._latest = True, {}
                threading.Thread(target=self._produce, daemon=True).start()
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener; after the last one the producer ends."""
        with self._lock:
            self._listeners.discard(listener)

    def _produce(self) -> None:
        pushed = 0.0
        while True:
            started = time.monotonic()
            self._woken.clear()
            fragments = self._try_to_render()
            with self._lock:
                if not self._listeners:
                    self._running = False
                    return
                changed = {k: v for k, v in fragments.items() if self._latest.get(k) != v}
                self._latest = {**self._latest, **fragments}
                listeners = list(self._listeners)
            if changed:
                for listener in listeners:
                    listener.put(changed)
            if self._woken.wait(max(0.05, EVERY - (time.monotonic() - started))):
                time.sleep(max(0.0, pushed + PUSH_EVERY - time.monotonic()))
                pushed = time.monotonic()
                snapshot.forget()

    def _try_to_render(self) -> Fragments:
        try:
            return self._render()
        except Exception:  # whatever fails, the stream goes on and the log tells why
            log.exception("The live fragments could not be rendered")
            return {}
        finally:
            release()


def init_app(app: Flask, render: Callable[[], Fragments]) -> None:
    """Register the stream; ``render`` makes every fragment by its event's name."""
    broadcast = app.extensions["live"] = Broadcast(render)
    announcements.tell(broadcast.wake)
    app.register_blueprint(live)


@live.get("/events")
@login_required
def events() -> Response:
    """The stream of changed fragments, all of them first."""
    broadcast: Broadcast = current_app.extensions["live"]
    announcements.start()
    token = current_user.token
    release()  # a stream lasts for hours and needs no connection
    return Response(stream(broadcast, token), mimetype="text/event-stream", headers=HEADERS)


def stream(broadcast: Broadcast, token: str) -> Iterator[str]:
    """What a browser reads until it leaves or its session ends."""
    listener = broadcast.listen()
    asked = time.monotonic()
    try:
        yield "retry: 2000\n\n"
        while not broadcast.closed:
            fragments = listener.take(PING)
            yield (
                "".join(map(event, *zip(*fragments.items(), strict=True)))
                if fragments
                else ": \n\n"
            )
            if time.monotonic() - asked >= ASK_SESSION:
                asked = time.monotonic()
                if _has_ended(token):
                    yield event("signed-out", "")
                    return
    finally:
        broadcast.leave(listener)


def event(name: str, text: str) -> str:
    """One server-sent event."""
    lines = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"event: {name}\n{lines}\n"


def _has_ended(token: str) -> bool:
    """Whether the session is over; while the database is away it is not."""
    try:
        with connection():
            return ModeratorSession.moderator_of(token) is None
    except peewee.PeeweeException:
        return False
