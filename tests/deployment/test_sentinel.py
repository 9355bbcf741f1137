"""Redis with a password behind TLS, and three sentinels whose master is killed under load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from tests.support.api import Api, eventually, unique
from tests.support.servers import Server, database, rows, sentinel, tls_front, valkey
from tests.support.stack import Stack, wait_until

PASSWORD = uuid4().hex
LIMITS = {f"MAX_UPLOADS_PER_{name}": "0" for name in ("MINUTE", "HOUR", "MINUTE_PER_IP")}
ONE = {"WEB_INSTANCES": "1", "PRIORITY_WORKERS": "0"}


def test_a_password_behind_tls(
    stack: Stack, new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with (
        database(stack) as url,
        valkey(
            tmp_path / "redis", f"user ada on >{PASSWORD} ~* &* +@all", "user default off"
        ) as it,
        tls_front(tmp_path, it.port) as (port, authority),
    ):
        address = f"rediss://ada:{PASSWORD}@127.0.0.1:{port}"
        safe = new_stack(DATABASE_URL=url, REDIS_URL=f"{address}?ssl_ca_certs={authority}", **ONE)
        safe.up()
        api = Api(safe.url, safe.json("client", "create", "Safe", "--json")["key"])
        assert api.decided(unique("safe_astronaut.jpg"))["mode"] == "sync"
        wait_until(lambda: len(api.stats()["workers"]) == 1)
        server = redis.Redis(port=it.port, username="ada", password=PASSWORD)
        assert any(b"LIMIT" in key.upper() for key in server.keys("*")), "they count there too"
        assert PASSWORD not in safe.logs(10_000)
        safe.down()
        # An authority that is not trusted is no Redis: uploads go the direct way.
        safe.env["REDIS_URL"] = address
        safe.up()
        assert api.decided(unique("safe_astronaut.jpg"))["mode"] == "direct"
        safe.remove()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[list[Server], str]]:
    """A master with a replica, three sentinels, and the URL that names them."""
    lines = [f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", "repl-diskless-sync-delay 0"]
    with ExitStack() as stack:
        master = stack.enter_context(valkey(tmp_path / "a", *lines))
        after = f"replicaof 127.0.0.1 {master.port}"
        replica = stack.enter_context(valkey(tmp_path / "b", *lines, after))
        three = [
            stack.enter_context(sentinel(tmp_path / name, master.port, PASSWORD))
            for name in ("s1", "s2", "s3")
        ]
        asked = redis.Redis(port=three[0].port)
        eventually(lambda: asked.sentinel_master("sluice")["num-other-sentinels"] == 2)
        eventually(lambda: asked.sentinel_master("sluice")["num-slaves"] == 1)
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in three)
        yield [master, replica], f"redis+sentinel://:{PASSWORD}@{hosts}/sluice"


def test_a_failover_loses_nothing(
    stack: Stack, new_stack: Callable[..., Stack], watched: tuple[list[Server], str]
) -> None:
    (master, replica), address = watched
    with database(stack) as url:
        own = new_stack(DATABASE_URL=url, REDIS_URL=address, SYNC_TIMEOUT="0.3", **ONE, **LIMITS)
        own.up()
        key = own.json("client", "create", "Shop", "--json")["key"]
        api = Api(own.url, key)
        assert api.decided(unique("safe_astronaut.jpg"))["mode"] == "sync"
        kept: list[str] = []
        refused: list[int] = []
        stop = threading.Event()

        def send() -> None:
            sender = Api(own.url, key)
            while not stop.is_set():
                reply = sender.submit(unique("safe_astronaut.jpg"))
                if reply.status_code in (200, 202):
                    kept.append(reply.json()["job_id"])
                else:
                    refused.append(reply.status_code)

        sending = [threading.Thread(target=send) for _ in range(3)]
        for thread in sending:
            thread.start()
        eventually(lambda: len(kept) > 10)
        master.kill()
        new = redis.Redis(port=replica.port, password=PASSWORD)
        eventually(lambda: new.info("replication")["role"] == "master", 40)
        count = len(kept)
        eventually(lambda: len(kept) > count + 10)
        eventually(lambda: api.stats()["queue_available"], 40)
        stop.set()
        for thread in sending:
            thread.join()
        assert set(refused) <= {503}
        undecided = "SELECT count(*) FROM submission WHERE status <> 'decided'"
        eventually(lambda: rows(url, undecided) == [(0,)], 60)
        found = rows(url, "SELECT count(*) FROM submission WHERE id = ANY(%s::uuid[])", kept)
        assert found == [(len(kept),)]
        twice = "SELECT submission_id FROM decision GROUP BY submission_id HAVING count(*) > 1"
        assert rows(url, twice) == []
        assert api.decided(unique("safe_astronaut.jpg"))["mode"] == "sync"
        eventually(lambda: len(api.stats()["workers"]) == 1)
        own.remove()
