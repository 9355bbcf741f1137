"""Undo and what the client hears: nothing within the window, a compensating call after it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.api import Api, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.receiver import Receiver, receiving
from tests.support.stack import Stack, running

WINDOW = 2


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack with a short undo window."""
    with running(UNDO_SECONDS=str(WINDOW)) as stack:
        yield stack


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A client's webhook."""
    with receiving() as server:
        yield server


def heard(hook: Receiver) -> list[tuple[str, str]]:
    """Event and verdict of every call."""
    return [(call.told["type"], call.told["data"]["verdict"]) for call in hook.calls]


def flagged(stack: Stack, hook: Receiver) -> str:
    """A flag of a new client with that webhook."""
    made = stack.json("client", "create", f"hooked-{hook.port}", "--webhook", hook.url, "--json")
    key = made["key"]
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


def test_within_the_window_the_client_hears_nothing(own: Stack, hook) -> None:
    job_id, moderator = flagged(own, hook), person(own)
    eventually(lambda: heard(hook) == [("submission.decided", "review")])
    decide(moderator, job_id, "rejected:scam")
    undo(moderator)
    time.sleep(WINDOW + 2)
    assert heard(hook) == [("submission.decided", "review")]
    assert acts(own, job_id) == ["decide", "undo"]


def test_after_the_window_a_compensating_event_goes_out(own: Stack, hook) -> None:
    job_id, moderator = flagged(own, hook), person(own)
    decide(moderator, job_id, "rejected:scam")
    eventually(lambda: ("submission.decided", "rejected") in heard(hook))
    undo(moderator)
    eventually(lambda: heard(hook)[-1] == ("submission.restored", "review"))
    assert acts(own, job_id) == ["decide", "undo"]
