"""What runs short: a client's share of a day, the disk, the queue. Nobody else is touched, nothing
is half stored, and it recovers by itself."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import psutil
import pytest
import requests

from models.errors import readable_size
from tests.support.api import Api, eventually, unique
from tests.support.console import person
from tests.support.stack import Stack, running

PICTURE = "safe_rocket.jpg"
QUOTA, BYTES = 25, 2_000_000
BOUND = 5
DAY = 24 * 3600


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    settings = {
        "MAX_UPLOADS_PER_DAY_PER_CLIENT": str(QUOTA),
        "MAX_BYTES_PER_DAY_PER_CLIENT": str(BYTES),
        "MAX_QUEUE_SIZE": str(BOUND),
        "SYNC_MAX_DEPTH": "1",
        "SYNC_TIMEOUT": "0.1",
    }
    with running(**settings) as stack:
        yield stack


@pytest.fixture
def new_api(own: Stack) -> Callable[[], Api]:
    def make() -> Api:
        made = own.json("client", "create", f"c-{uuid4().hex[:8]}", "--json")
        return Api(own.url, made["key"])

    return make


@pytest.fixture
def api(new_api: Callable[[], Api]) -> Api:
    return new_api()


def padded(size: int) -> bytes:
    """A picture of about that many bytes."""
    return unique(PICTURE) + os.urandom(size)


def originals(stack: Stack) -> set[str]:
    """The storage keys that have a file."""
    folder = stack.home / "media" / "originals"
    return {f"{path.parent.name}/{path.name}" for path in folder.glob("*/*")}


def keys(stack: Stack) -> set[str]:
    """The storage keys that have a row."""
    return {row[0] for row in stack.sql("SELECT storage_key FROM image")}


def rows(stack: Stack) -> int:
    return stack.sql("SELECT count(*) FROM submission")[0][0]


@contextlib.contextmanager
def no_room(pids: list[int], limit: int) -> Iterator[None]:
    """These processes can write no file beyond ``limit`` bytes, as on a disk that is full."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def web(stack: Stack) -> list[int]:
    masters = [pid for name, pid in stack.pids().items() if name.startswith("web")]
    return [child.pid for master in masters for child in psutil.Process(master).children()]


def test_a_client_has_its_uploads_of_a_day_and_the_next_one_all_of_its_own(
    new_api: Callable[[], Api],
) -> None:
    greedy, other = new_api(), new_api()
    found = [greedy.submit(title=f"n {i}").status_code for i in range(QUOTA + 2)]
    assert found.count(429) == 2 and found[-2:] == [429, 429]
    reply = greedy.submit(title="more")
    assert reply.json()["detail"] == f"This client may make {QUOTA} uploads in a day."
    assert 60 < int(reply.headers["Retry-After"]) <= DAY + 1
    assert reply.headers["RateLimit-Policy"] == f'"client_day";q={QUOTA};w={DAY}'
    assert other.submit(title="mine").status_code in (200, 202)


def test_a_client_cannot_fill_the_disk_for_others(own: Stack, new_api: Callable[[], Api]) -> None:
    greedy, other = new_api(), new_api()
    for _ in range(2):
        assert greedy.submit(padded(800_000)).status_code in (200, 202)
    files, count = originals(own), rows(own)
    reply = greedy.submit(padded(800_000))
    assert reply.status_code == 429
    assert (
        reply.json()["detail"] == f"This client may send {readable_size(BYTES)} of images in a day."
    )
    assert reply.headers["RateLimit-Policy"].endswith('qu="content-bytes"')
    assert (originals(own), rows(own)) == (files, count)
    assert greedy.submit(title="a text takes no room").status_code in (200, 202)
    assert other.submit(padded(800_000)).status_code in (200, 202)


def test_a_disk_that_fills_in_the_middle_of_an_upload(own: Stack, api: Api) -> None:
    files, count = originals(own), rows(own)
    with no_room(web(own), 100_000):
        reply = api.submit(padded(400_000))
        assert reply.status_code == 503
        assert reply.json()["detail"] == "The disk is full; nothing was stored."
        assert int(reply.headers["Retry-After"]) >= 1
        assert api.stats()["current_mode"]
        assert person(own).get("/").status_code == 200
    assert (originals(own), rows(own)) == (files, count)
    assert api.decided(padded(400_000))["verdict"] == "approved"


def test_a_disk_whose_last_bytes_are_missing(own: Stack, api: Api) -> None:
    """They are written when the upload ends, and the file goes although they cannot be."""
    files = originals(own)
    with no_room(web(own), 1000):
        assert api.submit(unique(PICTURE)[:6000]).status_code == 503
    assert originals(own) == files


def test_the_supervisor_outlives_logs_that_cannot_be_written(own: Stack) -> None:
    pid = own.supervisor_pid()
    with no_room([pid], 0):
        for _ in range(20):
            requests.get(own.url + "/api/openapi.json")
        time.sleep(1.5)  # nginx hands its log on once a second
        assert own.serves()
    before = (own.home / "log" / "nginx.log").stat().st_size
    requests.get(own.url + "/api/openapi.json")
    eventually(lambda: (own.home / "log" / "nginx.log").stat().st_size > before)
    assert own.supervisor_pid() == pid
    worker = own.pids()["worker_00"]
    own.kill("worker_00")
    eventually(lambda: own.pids().get("worker_00", worker) != worker)


def test_refused_uploads_leave_no_file_and_what_is_taken_has_one(own: Stack, api: Api) -> None:
    """Files and rows are the same after everything that these tests have sent."""
    before = keys(own)
    assert originals(own) == before
    assert api.submit(b"hello world").status_code == 415
    assert api.submit(*[unique(PICTURE)] * 6).status_code == 422
    assert api.submit(unique(PICTURE), priority="vip").status_code == 422
    assert originals(own) == keys(own) == before
    api.decided(unique(PICTURE))
    assert len(keys(own) - before) == 1
    assert originals(own) == keys(own)


def test_a_body_that_is_too_large_leaves_no_file(own: Stack, api: Api) -> None:
    files = originals(own)
    reply = api.submit(unique(PICTURE), padded(10 * 1024 * 1024 + 1))
    assert reply.status_code == 413
    assert originals(own) == files


def test_what_the_queue_does_not_hold_waits_in_the_database(own: Stack, api: Api) -> None:
    eventually(lambda: api.stats()["queue_depth"] == 0)
    pid = eventually(lambda: own.pids().get("worker_00"))
    os.kill(pid, signal.SIGSTOP)
    try:
        told = []
        for number in range(20):
            reply = api.submit(title=f"much {number}")
            assert reply.status_code in (200, 202)
            told.append(reply.json()["job_id"])
            time.sleep(0.06)  # the depth that an upload sees may be 50 ms old
        time.sleep(3.5)  # long enough for the sweep to try
        assert api.stats()["queue_depth"] <= BOUND + 1
        waiting = "SELECT count(*) FROM submission WHERE status = 'received'"
        assert own.sql(waiting)[0][0] >= 20 - BOUND - 2
        # Without a worker's word it is ten a second: of all that waits, not of the queue alone.
        eventually(lambda: api.stats()["estimated_wait"] >= 1.5)
    finally:
        os.kill(pid, signal.SIGCONT)
    for job_id in told:
        assert api.status(job_id, wait=25)["status"] == "decided"
