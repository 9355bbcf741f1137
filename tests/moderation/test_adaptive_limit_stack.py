"""The adaptive limit on a running stack: the response, the dashboard, and the restored limit."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import pytest
import requests

from tasks.load.adaptive_limit import EXPIRY, STATE_KEY
from tests.support.api import Api, eventually
from tests.support.console import Console, person
from tests.support.stack import Stack, running

FLOOR = 30  # more than the light client sends


# A worker that is stopped counts with ten jobs a second: what waits is overdue at once.
OVERDUE = {"ADAPTIVE_MAX_WAIT": "1", "ADAPTIVE_MAX_DEBT": "1"}
COMMON = {
    "ADAPTIVE_MIN_UPLOADS_PER_MINUTE": str(FLOOR),
    "SYNC_TIMEOUT": "0.1",
    "SYNC_MAX_DEPTH": "1",
    "WEB_INSTANCES": "2",
}


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """Its last mode begins at 20 jobs; then review debt grows."""
    with running(**COMMON, **OVERDUE, FAST_TRACK_DEPTH="20") as stack:
        yield stack


@pytest.fixture(scope="module")
def heavy(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Heavy", "--json")["key"])


@pytest.fixture(scope="module")
def light(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Light", "--json")["key"])


@pytest.fixture(scope="module")
def overloaded(own: Stack, heavy: Api, light: Api) -> Iterator[int]:
    """The worker is stopped and the queue is long; yields the worker's process id."""
    pid = overload(own, heavy, light)
    yield pid
    os.kill(pid, signal.SIGCONT)


def overload(own: Stack, heavy: Api, light: Api) -> int:
    """Stop the worker and send until the heavy client is limited; returns the worker's pid."""
    pid = own.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    for number in range(120):
        heavy.submit(title=f"much {number}")
    light.submit(title="little")
    eventually(lambda: state_of(own).get("limits"))
    return pid


def state_of(stack: Stack) -> dict:
    stored = stack.redis().get(STATE_KEY)
    return json.loads(stored) if stored else {}


def refused(api: Api) -> list[requests.Response]:
    """The first 429 response; empty if all were accepted. (A 429 response itself is false.)"""
    replies = (api.submit(title="more") for _ in range(40))
    return list(islice((reply for reply in replies if reply.status_code == 429), 1))


def dashboard(console: Console) -> str:
    return console.get("/").text


def test_the_heaviest_client_is_limited_and_gets_the_reason(heavy: Api, overloaded: int) -> None:
    [reply] = eventually(lambda: refused(heavy))
    document = reply.json()
    assert document["type"] == "urn:sluice:too_many"
    assert "overloaded (unchecked uploads take" in document["detail"]
    assert document["lowered"] == document["adaptive_limit"]  # the name of 0.1.0
    limit = document["adaptive_limit"]["limit"]
    assert FLOOR <= limit < document["adaptive_limit"]["before"]
    assert f"to {limit:,} uploads per minute" in document["detail"]
    wait = int(reply.headers["Retry-After"])
    assert 1 <= wait <= 60 / FLOOR + 1
    policy, old_policy = reply.headers["RateLimit-Policy"].split(", ")
    rest, old_rest = reply.headers["RateLimit"].split(", ")
    assert (policy, rest) == (f'"adaptive_limit";q={limit};w=60', f'"adaptive_limit";r=0;t={wait}')
    assert (old_policy, old_rest) == (f'"pressure";q={limit};w=60', f'"pressure";r=0;t={wait}')


def test_the_light_client_is_not_limited(light: Api, overloaded: int) -> None:
    for number in range(3):
        assert light.submit(title=f"little {number}").status_code in (200, 202)


def test_status_requests_are_not_limited(heavy: Api, overloaded: int) -> None:
    eventually(lambda: refused(heavy))
    assert heavy.stats()["queue_depth"] > 0


def test_the_dashboard_names_the_client_and_its_limits(own: Stack, overloaded: int) -> None:
    console = person(own)
    page = eventually(lambda: "1 client limited" in dashboard(console) and dashboard(console))
    assert "<strong>Heavy</strong>" in page
    assert "<strong>Light</strong>" not in page
    assert "unchecked uploads take" in page


def test_the_limit_is_restored_after_the_overload_and_the_audit_has_both(
    own: Stack, heavy: Api, overloaded: int
) -> None:
    os.kill(overloaded, signal.SIGCONT)
    eventually(lambda: heavy.stats()["queue_depth"] == 0)
    state = state_of(own)  # the cap is raised here, so that the test need not wait for its steps
    own.redis().set(STATE_KEY, json.dumps({**state, "cap": state["start"] - 1}), ex=EXPIRY)
    eventually(lambda: state_of(own).get("limits") == [])
    eventually(lambda: heavy.submit(title="again").status_code in (200, 202))
    rows = own.sql("SELECT action, subject FROM audit WHERE action LIKE 'limit.%%' ORDER BY id")
    assert rows == [("limit.lower", "Heavy"), ("limit.lift", "Heavy")]
    console = person(own)
    eventually(lambda: "all limits restored" in dashboard(console))


def test_the_limit_expires_without_the_standby(own: Stack, heavy: Api, light: Api) -> None:
    worker = overload(own, heavy, light)
    eventually(lambda: refused(heavy))
    own.kill("standby", signal.SIGSTOP)
    try:
        assert 0 < own.redis().ttl(STATE_KEY) <= EXPIRY
        own.redis().expire(STATE_KEY, 2)  # as if most of its time had passed
        eventually(lambda: not own.redis().exists(STATE_KEY))
        eventually(lambda: not refused(heavy))  # all of 40 uploads are accepted
        assert "client limited" not in dashboard(person(own))
    finally:
        own.kill("standby", signal.SIGCONT)
        os.kill(worker, signal.SIGCONT)


def a_round(stack: Stack) -> dict:
    """The state after one more round of the standby."""
    stack.redis().delete(STATE_KEY)
    return eventually(lambda: state_of(stack))


@contextmanager
def flood(stack: Stack, count: int) -> Iterator[tuple[Api, list[requests.Response]]]:
    """One client's texts while the worker is stopped: its API, and the responses."""
    pid = stack.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    try:
        api = Api(stack.url, stack.json("client", "create", "Lone", "--json")["key"])
        yield api, [api.submit(title=f"much {number}") for number in range(count)]
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_lone_client_is_answered_by_every_mode_before_it_is_refused() -> None:
    """The wait is far above its bound in async already; fast_track answers without a wait."""
    settings = {**OVERDUE, "ADAPTIVE_MAX_DEBT": "0", "FAST_TRACK_DEPTH": "60"}
    with running(**COMMON, **settings) as stack, flood(stack, 100) as (api, replies):
        assert a_round(stack)["limits"] == []
        replies += [api.submit(title=f"more {number}") for number in range(40)]
        assert {reply.status_code for reply in replies} <= {200, 202}
        modes = [reply.json()["mode"] for reply in replies]
        assert {"async", "fast_track"} <= set(modes)
        assert modes[-1] == "fast_track"
        assert a_round(stack)["limits"] == []


def test_without_fast_track_a_long_wait_limits_the_heaviest_client() -> None:
    """The queue is full before it is long enough, so async is the last mode."""
    settings = {**OVERDUE, "MAX_QUEUE_SIZE": "50", "FAST_TRACK_DEPTH": "1000"}
    with running(**COMMON, **settings) as stack, flood(stack, 120) as (api, replies):
        statuses = {reply.status_code for reply in replies}
        assert 202 in statuses <= {200, 202, 429}  # the limit may begin before the flood ends
        [limit] = eventually(lambda: state_of(stack).get("limits"))
        assert limit["signal"] == "wait"
        [reply] = eventually(lambda: refused(api))
        assert "overloaded (the wait is" in reply.json()["detail"]
