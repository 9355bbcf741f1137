"""The live stream: what it sends, that it outlives Redis, and that many may listen."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from models.settings import Settings
from tasks.servers.supervisor_client import Supervisor
from tests.support.api import Api
from tests.support.console import Console, person
from tests.support.stack import Stack, running, wait_until


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    with running(WEB_INSTANCES="2", WORKERS="1") as stack:
        yield stack


class Stream(threading.Thread):
    """Reads the stream; ``seen`` holds the latest data by event."""

    def __init__(self, console: Console) -> None:
        super().__init__(daemon=True)
        self.event, self.seen = "", dict[str, str]()
        self.reply = console.get("/events", stream=True)
        self.start()

    def run(self) -> None:
        with contextlib.suppress(requests.RequestException):  # the stack stops before we do
            for line in self.reply.iter_lines(decode_unicode=True):
                self.read(line)

    def read(self, line: str) -> None:
        if line.startswith("event: "):
            self.event = line[7:]
            self.seen[self.event] = ""
        elif line.startswith("data: "):
            self.seen[self.event] += line[6:] + "\n"


def test_it_begins_with_everything(stack):
    stream = Stream(person(stack))
    assert stream.reply.headers["Content-Type"].startswith("text/event-stream")
    wanted = {"mode", "strip", "to-review", "alerts", "workers", "health", "tile-depth"}
    wait_until(lambda: wanted <= set(stream.seen))
    assert "Sync" in stream.seen["mode"]


def test_strangers_do_not_listen(stack):
    reply = requests.get(stack.url + "/console/events", allow_redirects=False)
    assert reply.status_code == 302


def test_it_says_that_a_server_is_away_and_that_it_is_back(own):
    supervisor = Supervisor(Settings.load(own.env))
    console = person(own)
    stream = Stream(console)
    for name, words in (("redis:redis", "Redis: does not"), ("postgres:postgres", "PostgreSQL: d")):
        wait_until(lambda: "alerts" in stream.seen)
        supervisor.stop([name])
        wait_until(lambda words=words: words in stream.seen["alerts"], 30)
        supervisor.start([name])
        wait_until(lambda words=words: words not in stream.seen["alerts"], 30)
    assert stream.is_alive()


PAGES = (
    *("/", "/review", "/review?view=list", "/submissions", "/authors", "/rules", "/known-images"),
    *("/clients", "/deliveries", "/statistics", "/alerts", "/team", "/audit", "/settings"),
)


def test_a_redis_that_hangs_freezes_no_page_and_the_numbers_are_unknown(own):
    """The first command that gets no response opens the breaker; then every page is at once."""
    console, key = (
        person(own, "administrator"),
        own.json("client", "create", "Hang", "--json")["key"],
    )
    told = Api(own.url, key).decided(title="Watch", description="Wire transfer only, via WhatsApp")
    stream = Stream(console)
    wait_until(lambda: "Sync" in stream.seen.get("mode", ""))
    redis = own.pids()["redis"]
    os.kill(redis, signal.SIGSTOP)
    try:
        wait_until(lambda: "unknown" in stream.seen.get("tile-depth", ""), 30)
        for path in (*PAGES, f"/submissions/{told['job_id']}"):
            reply = console.get(path, timeout=10)
            assert reply.status_code == 200, path
        assert "unknown" in stream.seen["strip"] and "unknown" in stream.seen["workers"]
        assert "To review</dt><dd>unknown" not in console.get("/").text
        [(_, version)] = [one for one in console.deck() if one[0] == told["job_id"]]
        assert console.decide(told["job_id"], version, "approved", timeout=10).status_code == 200
    finally:
        os.kill(redis, signal.SIGCONT)
    wait_until(lambda: "unknown" not in stream.seen["tile-depth"], 30)


def test_a_page_without_the_database_says_so(own):
    supervisor = Supervisor(Settings.load(own.env))
    console = person(own)
    supervisor.stop(["postgres:postgres"])
    supervisor.wait(["postgres:postgres"], {"STOPPED"}, 20)
    reply = console.get("/review")
    supervisor.start(["postgres:postgres"])
    assert (reply.status_code, "The database does not respond" in reply.text) == (503, True)
    wait_until(lambda: console.get("/review").status_code == 200, 30)


def test_five_hundred_may_listen(own):
    console = person(own)
    cookies = "; ".join(f"{name}={value}" for name, value in console.http.cookies.items())
    ask = f"GET /console/events HTTP/1.1\r\nHost: {own.url[7:]}\r\nCookie: {cookies}\r\n\r\n"

    def listen(_: int) -> socket.socket:
        link = socket.create_connection(("127.0.0.1", own.port), timeout=20)
        link.sendall(ask.encode())
        text = b""
        while b"event: strip" not in text:
            part = link.recv(65536)
            assert part, text  # it was hung up on: waiting would have no end
            text += part
        return link

    with ThreadPoolExecutor(50) as pool:
        links = list(pool.map(listen, range(500)))
    assert requests.get(own.url + "/healthz", timeout=30).status_code == 200
    for link in links:
        link.close()
