"""The four modes, by a real load on a stack of its own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from models.settings import Settings, use_settings
from tasks.queue.lane_storage import NORMAL_RANK, PAID_RANK, SYNC_RANK, LaneStorage
from tests.support.api import Api, eventually, unique
from tests.support.console import person
from tests.support.stack import Stack, running

PICTURE = "review_b.jpg"


@pytest.fixture(scope="module")
def small() -> Iterator[Stack]:
    """A stack whose thresholds a test can reach, with one worker that can be held still.

    It takes one job at a time, so that the order is the one of the lanes: those that a worker
    takes at once are committed together, with one ``decided_at`` and no order among them.
    """
    settings = {"SYNC_MAX_DEPTH": "10", "FAST_TRACK_DEPTH": "30", "SYNC_TIMEOUT": "0.5"}
    settings["WORKER_BATCH"] = "1"
    with running(WEB_INSTANCES="2", WORKERS="1", LEASE_SECONDS="3", **settings) as stack:
        yield stack


@pytest.fixture
def api(small: Stack) -> Api:
    key = small.json("client", "create", os.urandom(4).hex(), "--json")["key"]
    return Api(small.url, key)


@pytest.fixture
def still(small: Stack) -> Iterator[None]:
    """The worker is stopped for the test, and goes on after it."""
    pid = small.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


def burst(api: Api, count: int, **fields: str) -> list[dict[str, Any]]:
    """So many uploads by different authors, a few at a time."""

    def send(_: int) -> dict[str, Any]:
        reply = Api(api.base.removesuffix("/api/moderation"), _key(api)).submit(
            unique(PICTURE), **fields
        )
        assert reply.status_code in (200, 202), reply.text
        return reply.json()

    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(send, range(count)))
    time.sleep(0.2)  # the load that a mode is chosen from may be 50 ms old
    return told


def _key(api: Api) -> str:
    return str(api.http.headers["Authorization"]).split()[1]


def settled(api: Api) -> bool:
    stats = api.stats()
    return stats["queue_depth"] == 0 and stats["queues"]["review_debt"] == 0


def test_sync_falls_back_to_202_when_the_verdict_takes_too_long(api: Api, still: None) -> None:
    reply = api.submit(unique(PICTURE))
    assert reply.status_code == 202
    told = reply.json()
    assert (told["mode"], told["status"], told["visible"]) == ("sync", "queued", False)
    assert told["estimated_wait"] > 0


def test_the_modes_go_up_with_the_depth_and_come_down_by_themselves(api: Api, small: Stack) -> None:
    eventually(lambda: settled(api))
    pid = small.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    try:
        told = burst(api, 12)  # a wave is done before the next: no more than it is under way
        waves = [burst(api, 9), burst(api, 15), burst(api, 10)]
        assert {one["mode"] for one in waves[0]} == {"async"}
        assert {one["mode"] for one in waves[2]} == {"fast_track"}
        told += [one for wave in waves for one in wave]
        stats = api.stats()
        assert stats["current_mode"] == "fast_track"
        assert 30 <= stats["queue_depth"] <= 36 + 1  # one debt stays in the queue, too
        fast = [one for one in told if one["mode"] == "fast_track"]
        assert stats["queues"]["review_debt"] == len(fast)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert {(one["verdict"], one["visible"], one["review_owed"]) for one in fast} == {
        ("approved", False, True)  # the client holds, and nothing has looked at the picture
    }
    eventually(lambda: settled(api), seconds=180)
    # A slow machine's workers could not have kept up with these arrivals: then it takes longer.
    eventually(lambda: api.stats()["current_mode"] == "sync", seconds=60)
    after = [api.status(one["job_id"]) for one in told]
    assert {one["verdict"] for one in after} == {"review"}
    assert not any(one["review_owed"] for one in after)


def test_a_flood_by_one_client_is_no_matter_of_another(api: Api, small: Stack) -> None:
    quiet = Api(small.url, small.json("client", "create", os.urandom(4).hex(), "--json")["key"])
    eventually(lambda: settled(api))
    pid = small.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    try:
        flood = burst(api, 45)
        assert flood[-1]["mode"] == "fast_track"
        assert quiet.stats()["current_mode"] == "sync"
        mine = quiet.submit(unique(PICTURE)).json()
        assert mine["mode"] == "sync"
        more = api.submit(unique(PICTURE)).json()
        assert more["mode"] == "fast_track"
        assert mine["estimated_wait"] < api.stats()["estimated_wait"]
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: settled(api), seconds=180)
    rows = small.sql("SELECT id::text, mode FROM submission ORDER BY decided_at")
    sent = {one["job_id"] for one in flood if one["mode"] != "fast_track"}
    order = [job for job, _ in rows if job in sent or job == mine["job_id"]]
    assert order.index(mine["job_id"]) < 3  # one was handed to the worker before it was stopped


def test_what_fast_track_shows_is_the_clients_policy(small: Stack) -> None:
    create = ["client", "create"]
    hook = ["--webhook", "http://127.0.0.1:9/hook", "--json"]
    keys = {
        name: small.json(*create, f"{name} {os.urandom(4).hex()}", *options, *hook)["key"]
        for name, options in (
            ("holds", ()),
            ("publishes first", ("--publish-first",)),
            ("publishes unchecked", ("--publish-unchecked",)),
        )
    }
    apis = {name: Api(small.url, key) for name, key in keys.items()}
    some = apis["holds"]
    eventually(lambda: settled(some))
    pid = small.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    try:
        for each in apis.values():
            burst(each, 45 if each is some else 15)
        pictures = {
            name: each.submit(unique("safe_coffee.jpg"), title="A").json()
            for name, each in apis.items()
        }
        text = some.submit(title="Garden chairs").json()
    finally:
        os.kill(pid, signal.SIGCONT)
    told = {name: (one["mode"], one["verdict"], one["visible"]) for name, one in pictures.items()}
    assert told == {
        "holds": ("fast_track", "approved", False),
        "publishes first": ("fast_track", "approved", True),
        "publishes unchecked": ("fast_track", "approved", True),
    }
    assert (text["mode"], text["verdict"], text["visible"]) == ("fast_track", "approved", True)
    eventually(lambda: settled(some), seconds=180)
    events = "SELECT count(*) FROM delivery WHERE event = %s AND submission_id = %s"
    for name, one in pictures.items():
        after = apis[name].status(one["job_id"])
        assert (after["verdict"], after["visible"]) == ("approved", True)
        [(many,)] = small.sql(events, "submission.decided", one["job_id"])
        assert many == 1 + (name == "holds")  # a second one says that it may be shown


def test_fast_rules_reject_at_once(api: Api, small: Stack, tmp_path) -> None:
    rules = tmp_path / "rules.csv"
    rules.write_text("kind,pattern,action,label\nphrase,forbidden gadget,reject,scam\n")
    small.run("rules", "import", str(rules))
    time.sleep(2)  # every process follows within two seconds
    eventually(lambda: settled(api))
    pid = small.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    try:
        burst(api, 45)
        told = api.submit(title="A Forb1dden  Gädget").json()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (told["mode"], told["verdict"]) == ("fast_track", "rejected")
    assert (told["visible"], told["review_owed"]) == (False, False)
    assert told["reasons"][0]["label"] == "scam"
    eventually(lambda: settled(api), seconds=180)


def test_a_rule_is_live_on_the_fast_track(api: Api, small: Stack) -> None:
    admin, word = person(small, "administrator"), f"live{os.urandom(4).hex()}"
    eventually(lambda: settled(api))
    pid = small.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    try:
        burst(api, 45)
        before = api.submit(title=f"About {word}").json()
        assert (before["mode"], before["verdict"]) == ("fast_track", "approved")
        admin.post("/rules", kind="word", pattern=word, action="reject", label="scam")
        told = eventually(lambda: rejected(api, f"About {word}"))
        assert told["mode"] == "fast_track"
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: settled(api), seconds=180)


def rejected(api: Api, title: str) -> dict[str, Any] | None:
    """The response to an upload that was rejected; None where it was not."""
    told = api.submit(title=title).json()
    return told if told["verdict"] == "rejected" else None


def test_priority_goes_first_and_normal_does_not_starve(api: Api, small: Stack) -> None:
    eventually(lambda: settled(api))
    pid = small.pids()["worker_00"]
    os.kill(pid, signal.SIGSTOP)
    try:
        normal = burst(api, 12)
        paid = burst(api, 16, priority="priority")
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: settled(api), seconds=180)
    rows = small.sql("SELECT id::text, priority FROM submission ORDER BY decided_at")
    wanted = {one["job_id"] for one in normal + paid}
    order = [priority for job, priority in rows if job in wanted]
    # Every fourth is a normal one; one more was handed to the worker before it was held still.
    assert order[:16].count("priority") >= 11
    assert order[:16].count("normal") >= 4


def test_what_is_taken_at_once_is_of_one_lane_and_every_fourth_time_of_the_normal_one(
    small: Stack,
) -> None:
    use_settings(Settings.load(small.env))  # a worker takes a job only while the servers work
    lanes = LaneStorage("tried", connection_pool=small.redis().connection_pool)
    for number in range(16):
        lanes.enqueue(b'["p%02d", "moderate"]' % number, PAID_RANK + NORMAL_RANK)
    for number in range(12):
        lanes.enqueue(b'["n%02d", "moderate"]' % number, NORMAL_RANK)
    takings = []
    while first := lanes.dequeue():
        takings.append([first, *lanes.take_more("moderate", 15)])
    told = [[json.loads(job)[0] for job in taking] for taking in takings]
    assert [len(taking) for taking in told[:4]] == [4, 3, 3, 3]  # and a quarter of what then waits
    assert [{job[0] for job in taking} for taking in told[:4]] == [{"p"}, {"p"}, {"p"}, {"n"}]
    assert all(len({job[0] for job in taking}) == 1 for taking in told)
    flat = [job for taking in told for job in taking]
    for lane, many in ("p", 16), ("n", 12):
        assert [job for job in flat if job[0] == lane] == [f"{lane}{n:02d}" for n in range(many)]


def test_what_comes_next_is_taken_early_only_where_many_wait(small: Stack) -> None:
    lanes = LaneStorage("tried", connection_pool=small.redis().connection_pool)
    lanes.flush_queue()
    for number in range(3):
        lanes.enqueue(b'["n%02d", "moderate"]' % number, NORMAL_RANK)
    assert lanes.take_next("moderate", 15) == []  # others are free for so few
    for number in range(3, 16):
        lanes.enqueue(b'["n%02d", "moderate"]' % number, NORMAL_RANK)
    taken = [json.loads(job)[0] for job in lanes.take_next("moderate", 15)]
    assert taken == ["n00", "n01", "n02", "n03"]
    lanes.enqueue(b'["d00", "detect"]', SYNC_RANK)  # somebody waits for it: it stands first
    assert lanes.take_next("moderate", 15) == []
    lanes.flush_queue()
