"""PgBouncer in transaction mode: many connections of ours on four of PostgreSQL's."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import requests

from tests.support.api import Api, eventually, unique
from tests.support.console import person
from tests.support.servers import Server, database, pgbouncer, rows
from tests.support.stack import ROOT, Stack

LIMITS = {f"MAX_UPLOADS_PER_{name}": "0" for name in ("MINUTE", "HOUR", "MINUTE_PER_IP")}


@pytest.fixture(scope="module")
def pooled(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Server]]:
    with (
        database(stack) as url,
        pgbouncer(tmp_path_factory.mktemp("pool") / "b", url) as bouncer,
    ):
        own = Stack(
            DATABASE_URL=f"postgresql://sluice@127.0.0.1:{bouncer.port}/apart",
            DATABASE_OWNER_URL=url,
            DATABASE_POOLED="on",
            PRIORITY_WORKERS="0",
            **LIMITS,
        )
        try:
            own.up()
            yield own, bouncer
        finally:
            own.remove()


def test_uploads_review_and_export(pooled: tuple[Stack, Server]) -> None:
    own, _ = pooled
    api = Api(own.url, own.json("client", "create", "Shop", "--json")["key"])
    ada = person(own, "administrator")

    def send(number: int) -> str:
        picture = unique("review_b.jpg" if number % 5 == 0 else "safe_astronaut.jpg")
        reply = api.submit(picture, title=f"Item {number}")
        assert reply.status_code in (200, 202), reply.text
        return reply.json()["job_id"]

    with ThreadPoolExecutor(20) as pool:
        sent = list(pool.map(send, range(60)))
    url = own.env["DATABASE_OWNER_URL"]
    undecided = "SELECT count(*) FROM submission WHERE status <> 'decided'"
    eventually(lambda: rows(url, undecided) == [(0,)], 60)
    assert rows(url, "SELECT count(*) FROM submission")[0][0] == len(set(sent))
    twice = "SELECT submission_id FROM decision GROUP BY submission_id HAVING count(*) > 1"
    assert rows(url, twice) == []
    [(job_id, version), *_] = ada.deck()
    assert ada.decide(job_id, version, "rejected", reason="nudity").status_code == 200
    told = ada.get("/submissions/export.csv").text
    assert len(list(csv.reader(io.StringIO(told)))) == len(sent) + 1
    assert own.run("audit", "verify", check=False).returncode == 0
    parts = requests.get(f"{own.url}/readyz").json()["parts"]
    assert {part["state"] for part in parts} <= {"ok", "near"}, parts


def test_our_time_zone_holds_in_whichever_session(pooled: tuple[Stack, Server]) -> None:
    own, _ = pooled
    url = own.env["DATABASE_URL"]
    with psycopg2.connect(url) as stranger:  # whose session the next transaction may be in
        stranger.cursor().execute("SET timezone TO 'Asia/Tokyo'")
    script = (
        "from models.database import connection as db; from models.settings import Settings\n"
        "db.connect(Settings.load())\n"
        "with db.connection(): print(db.one('SELECT now()::text')[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=own.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = datetime.fromisoformat(done.stdout.strip())
    assert told.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=5)
    stranger.close()


def test_no_more_than_its_pool(pooled: tuple[Stack, Server]) -> None:
    bouncer = pooled[1]
    watch = psycopg2.connect(f"postgresql://watch@127.0.0.1:{bouncer.port}/pgbouncer")
    watch.autocommit = True
    cursor = watch.cursor()
    cursor.execute("SHOW SERVERS")
    names = [column[0] for column in cursor.description]
    users = [row[names.index("user")] for row in cursor.fetchall()]
    assert 0 < users.count("sluice") <= 4
    cursor.execute("SHOW CLIENTS")
    assert len(cursor.fetchall()) > 4
    watch.close()


def test_migrations_want_postgresql_itself(pooled: tuple[Stack, Server]) -> None:
    own, _ = pooled
    env = {name: value for name, value in own.env.items() if name != "DATABASE_OWNER_URL"}
    command = [sys.executable, "-m", "models.migrate"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("DATABASE_POOLED requires a DATABASE_OWNER_URL")
