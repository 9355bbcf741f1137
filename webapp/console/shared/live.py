"""Live pages by server-sent events: one producer per process for any number of browsers.

The producer runs only while a browser listens. It renders once a second, and after a decision
sooner, but at most every PUSH_EVERY seconds. A listener stores the latest unsent text of each
fragment, so a slow browser costs bounded memory and still gets the newest state.
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

EVERY = 1.0  # seconds between two renderings
PUSH_EVERY = 0.5  # minimum seconds between two renderings that a decision triggers
PING = 15.0  # seconds of silence after which a comment keeps the connection open
SESSION_CHECK = 60.0  # seconds between two checks that the session is still valid
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

live = Blueprint("live", __name__, url_prefix="/console")
log = logging.getLogger(__name__)

Fragments = dict[str, str]


class Listener:
    """The fragments that were not sent to one browser yet."""

    def __init__(self) -> None:
        self._waiting: Fragments = {}
        self._changed = threading.Condition()

    def put(self, fragments: Fragments) -> None:
        """Add new texts; they replace older ones of the same name."""
        with self._changed:
            self._waiting.update(fragments)
            self._changed.notify()

    def take(self, seconds: float) -> Fragments:
        """The changed fragments; waits at most ``seconds`` for one; may be empty."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(seconds)  # also ended by an empty put, which closes the stream
            taken, self._waiting = self._waiting, {}
            return taken


class Broadcast:
    """Renders fragments while there are listeners, and sends them the changed ones."""

    def __init__(self, render: Callable[[], Fragments]) -> None:
        self._render = render
        self._listeners: set[Listener] = set()
        self._latest: Fragments = {}
        self._lock = threading.Lock()
        self._running = False
        self._woken = threading.Event()
        self.closed = False

    def close(self) -> None:
        """End every stream, so that an open page does not delay a stop."""
        self.closed = True
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.put({})

    def wake(self) -> None:
        """Render now instead of at the next tick."""
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
        """Remove a listener; the producer ends after the last one."""
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
        except Exception:  # the stream must continue; the log has the cause
            log.exception("cannot render the live fragments")
            return {}
        finally:
            release()


def init_app(app: Flask, render: Callable[[], Fragments]) -> None:
    """Register the stream; ``render`` returns every fragment by the name of its event."""
    broadcast = app.extensions["live"] = Broadcast(render)
    announcements.on_announcement(broadcast.wake)
    app.register_blueprint(live)


@live.get("/events")
@login_required
def events() -> Response:
    """The event stream: all fragments first, then the changed ones."""
    broadcast: Broadcast = current_app.extensions["live"]
    announcements.start()
    token = current_user.token
    release()  # a stream lasts for hours and needs no connection
    return Response(stream(broadcast, token), mimetype="text/event-stream", headers=HEADERS)


def stream(broadcast: Broadcast, token: str) -> Iterator[str]:
    """The events of one browser until it disconnects or its session ends."""
    listener = broadcast.listen()
    checked = time.monotonic()
    try:
        yield "retry: 2000\n\n"
        while not broadcast.closed:
            fragments = listener.take(PING)
            yield (
                "".join(map(event, *zip(*fragments.items(), strict=True)))
                if fragments
                else ": \n\n"
            )
            if time.monotonic() - checked >= SESSION_CHECK:
                checked = time.monotonic()
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
    """Whether the session has ended; False while the database is down."""
    try:
        with connection():
            return ModeratorSession.moderator_of(token) is None
    except peewee.PeeweeException:
        return False
