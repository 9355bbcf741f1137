"""A streaming replica of PostgreSQL for the console's reads: held back, behind, away and back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
import requests

from tests.support.api import Api, eventually
from tests.support.console import Console, person
from tests.support.servers import Server, replicated
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Server, str]]:
    with replicated(tmp_path_factory.mktemp("replica") / "pg") as (_, copy, url, copy_url):
        own = Stack(DATABASE_URL=url, DATABASE_REPLICA_URL=copy_url, PRIORITY_WORKERS="0")
        try:
            own.up()
            yield own, copy, copy_url
        finally:
            own.remove()


def on(url: str, query: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(query)
    connection.close()


def lists(ada: Console, title: str) -> bool:
    reply = ada.get("/submissions")
    assert reply.status_code == 200
    return title in reply.text


def part(own: Stack) -> dict[str, str]:
    parts = requests.get(f"{own.url}/readyz").json()["parts"]
    return next(part for part in parts if part["name"] == "Replica")


def test_reads_go_to_the_replica_and_everybody_sees_what_they_did(
    read: tuple[Stack, Server, str],
) -> None:
    own, _, copy_url = read
    api = Api(own.url, own.json("client", "create", "Shop", "--json")["key"])
    ada, bob = person(own, "administrator"), person(own, "administrator")
    api.decided(title="Before the pause")
    eventually(lambda: lists(ada, "Before the pause") and lists(bob, "Before the pause"))
    on(copy_url, "SELECT pg_wal_replay_pause()")
    api.decided(title="After the pause")
    assert not lists(bob, "After the pause"), "the list is the replica's"
    assert ada.post("/account/sessions/end-others", form="/account").status_code < 400
    assert lists(ada, "After the pause"), "who has just written reads the primary"
    assert not lists(bob, "After the pause")
    assert ada.get("/audit/").status_code == 200
    for page in ("/dashboard/charts", "/statistics/"):
        assert ada.get(page).status_code == 200
    on(copy_url, "SELECT pg_wal_replay_resume()")
    eventually(lambda: lists(bob, "After the pause"))
    assert part(own)["state"] == "ok"
    assert "s behind" in part(own)["detail"]


def test_without_the_replica_the_primary_is_read(read: tuple[Stack, Server, str]) -> None:
    own, copy, _ = read
    api = Api(own.url, own.json("client", "create", "Other", "--json")["key"])
    ada = person(own, "administrator")
    eventually(lambda: lists(ada, "After the pause"))
    copy.kill()
    api.decided(title="While it was away")
    assert lists(ada, "While it was away")
    told = eventually(lambda: (it := part(own))["state"] == "down" and it)
    assert "reads go to the primary" in told["detail"]
    assert requests.get(f"{own.url}/readyz").status_code == 200
    copy.start()
    eventually(lambda: part(own)["state"] == "ok", 40)
    assert lists(ada, "While it was away")
