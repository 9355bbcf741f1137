"""Two hosts on one PostgreSQL, one Redis and one folder of media; then one of them is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.api import Api, eventually, unique
from tests.support.servers import database, rows, valkey
from tests.support.stack import Stack

LIMITS = {f"MAX_UPLOADS_PER_{name}": "0" for name in ("MINUTE", "HOUR", "MINUTE_PER_IP")}


@pytest.fixture(scope="module")
def hosts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Stack]]:
    """Two homes with the same secrets, as two machines would have them; and the database's URL."""
    folder = tmp_path_factory.mktemp("hosts")
    with database(stack) as url, valkey(folder / "redis", "requirepass hosts-only") as server:
        shared = {
            "DATABASE_URL": url,
            "REDIS_URL": f"redis://:hosts-only@127.0.0.1:{server.port}",
            "STORAGE_URL": str(folder / "media"),
            "LEASE_SECONDS": "5",
            "PRIORITY_WORKERS": "0",
            **LIMITS,
        }
        (folder / "media").mkdir()
        made = [Stack(**shared), Stack(**shared)]
        try:
            made[0].up()
            made[1].home.mkdir(mode=0o700)
            shutil.copytree(made[0].home / "secrets", made[1].home / "secrets")
            made[1].up()
            yield made[0], made[1]
        finally:
            for one in made:
                one.remove()


def kill_whole(host: Stack) -> None:
    """Every process of a host at once, the supervisor first, as a power cut would."""
    for pid in [host.supervisor_pid(), *host.left()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not host.left())


def test_each_host_tells_of_its_own_workers(hosts: tuple[Stack, Stack]) -> None:
    one = hosts[0]
    api = Api(one.url, one.json("client", "create", "Both", "--json")["key"])
    heard = eventually(lambda: len(found := api.stats()["workers"]) == 2 and found)
    assert {beat["name"] for beat in heard} == {"worker_00"}, "the same name on two hosts"
    assert len({beat["pid"] for beat in heard}) == 2
    for host in hosts:
        parts = {part["name"]: part for part in requests.get(f"{host.url}/readyz").json()["parts"]}
        assert parts["Workers"]["detail"].startswith("1 of 1"), parts


def test_a_host_is_killed_whole_and_nothing_is_lost(hosts: tuple[Stack, Stack]) -> None:
    one, other = hosts
    url, media = one.env["DATABASE_URL"], Path(one.env["STORAGE_URL"])
    key = one.json("client", "create", "Shop", "--json")["key"]
    before, after = Api(one.url, key), Api(other.url, key)
    assert before.decided("safe_astronaut.jpg")["verdict"] == "approved"

    def send(number: int) -> str:
        reply = (before, after)[number % 2].submit(unique("safe_astronaut.jpg"))
        assert reply.status_code in (200, 202), reply.text
        return reply.json()["job_id"]

    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(send, range(60)))
        os.kill(one.pids()["worker_00"], signal.SIGSTOP)  # so that it dies with work in its hands
        sent += list(pool.map(send, range(20)))
    kill_whole(one)
    undecided = "SELECT count(*) FROM submission WHERE status <> 'decided'"
    eventually(lambda: rows(url, undecided) == [(0,)], 60)
    assert rows(url, "SELECT count(*) FROM submission WHERE id = ANY(%s::uuid[])", sent) == [
        (len(sent),)
    ]
    twice = "SELECT submission_id FROM decision GROUP BY submission_id HAVING count(*) > 1"
    assert rows(url, twice) == []
    keys = {key for (key,) in rows(url, "SELECT storage_key FROM image")}
    there = {f"{p.parent.name}/{p.name}" for p in (media / "originals").glob("*/*")}
    assert keys <= there
    assert after.decided("safe_astronaut.jpg")["verdict"] == "approved"
    eventually(lambda: len(after.stats()["workers"]) == 1, 30)
