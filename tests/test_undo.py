"""Undo and what the client hears: nothing within the window, a compensating call after it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.api import Api, eventually, unique
from tests.console import FRAGMENT, Console, person
from tests.stack import Stack, running

WINDOW = 2


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack with a short undo window."""
    with running(UNDO_SECONDS=str(WINDOW), PRIORITY_WORKERS="0") as stack:
        yield stack


@pytest.fixture
def heard() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A client's webhook: its address, and (event, verdict) of every call."""
    calls: list[tuple[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append((told["type"], told["data"]["verdict"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", calls
    server.shutdown()


def flagged(stack: Stack, url: str) -> str:
    """A flag of a new client with that webhook."""
    name = f"hooked-{url.split(':')[-1].strip('/')}"
    key = stack.json("client", "create", name, "--webhook", url, "--json")["key"]
    told = Api(stack.url, key).decided(unique("review_a.jpg"))
    assert told["verdict"] == "review"
    return told["job_id"]


def decide(moderator: Console, job_id: str, outcome: str) -> None:
    """Decide the flag that the moderator holds."""
    [version] = [version for held, version in moderator.deck() if held == job_id]
    assert moderator.decide(job_id, version, outcome).status_code == 200


def undo(moderator: Console) -> None:
    assert moderator.post("/reviews/undo", form="/", headers=FRAGMENT).status_code == 200


def acts(stack: Stack, job_id: str) -> list[str]:
    """What the audit tells of the flag."""
    rows = stack.sql("SELECT action FROM audit WHERE subject = %s ORDER BY id", job_id)
    return [row[0] for row in rows]


def test_within_the_window_the_client_hears_nothing(own: Stack, heard) -> None:
    url, calls = heard
    job_id, moderator = flagged(own, url), person(own)
    eventually(lambda: calls == [("submission.decided", "review")])
    decide(moderator, job_id, "rejected:scam")
    undo(moderator)
    time.sleep(WINDOW + 2)
    assert calls == [("submission.decided", "review")]
    assert acts(own, job_id) == ["decide", "undo"]


def test_after_the_window_a_compensating_event_goes_out(own: Stack, heard) -> None:
    url, calls = heard
    job_id, moderator = flagged(own, url), person(own)
    decide(moderator, job_id, "rejected:scam")
    eventually(lambda: ("submission.decided", "rejected") in calls)
    undo(moderator)
    eventually(lambda: calls[-1] == ("submission.restored", "review"))
    assert acts(own, job_id) == ["decide", "undo"]
