"""Limits under pressure on a running stack: the reply, the dashboard, and the way back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from itertools import islice

import pytest
import requests

from tasks.load.adaptive_limits import IN_FORCE, KEY
from tests.support.api import Api, eventually
from tests.support.console import Console, person
from tests.support.stack import Stack, running

FLOOR = 30  # more than the light client sends


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    settings = {"ADAPTIVE_MAX_WAIT": "1", "ADAPTIVE_MIN_UPLOADS_PER_MINUTE": str(FLOOR)}
    with running(WEB_INSTANCES="2", **settings, SYNC_TIMEOUT="0.1", SYNC_MAX_DEPTH="1") as stack:
        yield stack


@pytest.fixture(scope="module")
def heavy(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Heavy", "--json")["key"])


@pytest.fixture(scope="module")
def light(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Light", "--json")["key"])


@pytest.fixture(scope="module")
def pressed(own: Stack, heavy: Api, light: Api) -> Iterator[int]:
    """The worker stands still and much waits; yields how to wake it."""
    pid = press(own, heavy, light)
    yield pid
    os.kill(pid, signal.SIGCONT)


def press(own: Stack, heavy: Api, light: Api) -> int:
    """Stop the worker and send much, until the heavy client is held back; the worker's pid."""
    pid = own.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    for number in range(120):
        heavy.submit(title=f"much {number}")
    light.submit(title="little")
    eventually(lambda: told(own).get("lowered"))
    return pid


def told(stack: Stack) -> dict:
    stored = stack.redis().get(KEY)
    return json.loads(stored) if stored else {}


def refused(api: Api) -> list[requests.Response]:
    """The first reply that is a refusal; none where all were taken. (A refusal itself is false.)"""
    replies = (api.submit(title="more") for _ in range(40))
    return list(islice((reply for reply in replies if reply.status_code == 429), 1))


def dashboard(console: Console) -> str:
    return console.get("/").text


def test_the_heaviest_is_held_back_and_told_why(heavy: Api, pressed: int) -> None:
    [reply] = eventually(lambda: refused(heavy))
    document = reply.json()
    assert document["type"] == "urn:sluice:too_many"
    assert "under pressure (the wait is" in document["detail"]
    limit = document["lowered"]["limit"]
    assert FLOOR <= limit < document["lowered"]["before"]
    assert f"to {limit:,} uploads a minute" in document["detail"]
    wait = int(reply.headers["Retry-After"])
    assert 1 <= wait <= 60 / FLOOR + 1
    assert reply.headers["RateLimit-Policy"] == f'"pressure";q={limit};w=60'
    assert reply.headers["RateLimit"] == f'"pressure";r=0;t={wait}'


def test_the_light_one_feels_nothing(light: Api, pressed: int) -> None:
    for number in range(3):
        assert light.submit(title=f"little {number}").status_code in (200, 202)


def test_what_is_asked_and_not_sent_goes_on(heavy: Api, pressed: int) -> None:
    eventually(lambda: refused(heavy))
    assert heavy.stats()["queue_depth"] > 0


def test_the_dashboard_names_the_client_and_its_limits(own: Stack, pressed: int) -> None:
    console = person(own)
    page = eventually(lambda: "1 client lowered" in dashboard(console) and dashboard(console))
    assert "<strong>Heavy</strong>" in page
    assert "<strong>Light</strong>" not in page
    assert "the wait is" in page


def test_it_is_lifted_when_the_pressure_is_gone_and_the_audit_has_both(
    own: Stack, heavy: Api, pressed: int
) -> None:
    os.kill(pressed, signal.SIGCONT)
    eventually(lambda: heavy.stats()["queue_depth"] == 0)
    state = told(own)  # most of the way back, so that the test need not wait for it
    own.redis().set(KEY, json.dumps({**state, "cap": state["start"] - 1}), ex=IN_FORCE)
    eventually(lambda: told(own).get("lowered") == [])
    eventually(lambda: heavy.submit(title="again").status_code in (200, 202))
    rows = own.sql("SELECT action, subject FROM audit WHERE action LIKE 'limit.%%' ORDER BY id")
    assert rows == [("limit.lower", "Heavy"), ("limit.lift", "Heavy")]
    console = person(own)
    eventually(lambda: "all lifted" in dashboard(console))


def test_a_lowered_limit_expires_when_nobody_judges_any_more(
    own: Stack, heavy: Api, light: Api
) -> None:
    worker = press(own, heavy, light)
    eventually(lambda: refused(heavy))
    own.kill("standby", signal.SIGSTOP)
    try:
        assert 0 < own.redis().ttl(KEY) <= IN_FORCE
        own.redis().expire(KEY, 2)  # as if most of its time had passed
        eventually(lambda: not own.redis().exists(KEY))
        eventually(lambda: not refused(heavy))  # 40 uploads one after the other are all taken
        assert "client lowered" not in dashboard(person(own))
    finally:
        own.kill("standby", signal.SIGCONT)
        os.kill(worker, signal.SIGCONT)
