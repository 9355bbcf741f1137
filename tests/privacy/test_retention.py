"""Retention: what is past its days goes, files and all, whoever dies on the way; the stub stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, unique
from tests.support.stack import ROOT, Stack, running
from tests.support.stored import files, row_of

TEXT = "A sentence that stays for a month"
NOW = """
import logging, threading
from models.database import connection as db
from models.settings import Settings, use_settings
from tasks.maintenance import retention
logging.basicConfig(level=logging.INFO)
db.connect(use_settings(Settings.load()), pool=2)
with db.connection():
    print(retention.purge(threading.Event()))
    while retention.remove_files(): pass
"""


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack whose standby process keeps everything, so that each test purges by itself."""
    with running(RETENTION_DAYS="0") as stack:
        yield stack


@pytest.fixture(scope="module")
def shop(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Shop", "--json")["key"])


def purge(stack: Stack, **env: str) -> int:
    """What the standby does every ten minutes, now; how many submissions went."""
    done = subprocess.run(
        [sys.executable, "-c", NOW],
        cwd=ROOT,
        env={**stack.env, "RETENTION_DAYS": "30", **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def age(stack: Stack, job_id: str, span: str) -> None:
    stack.sql("UPDATE submission SET created_at = now() - %s::interval WHERE id = %s", span, job_id)


def full(api: Api, picture: str = "reject_a.jpg") -> str:
    """An upload with everything that a person can be told by."""
    return api.decided(
        unique(picture),
        user_id="anna",
        title=TEXT,
        description="viagra for sale",
        external_id="ext-4711",
        user_ip="203.0.113.77",
    )["job_id"]


def test_after_its_days_the_content_is_gone_and_the_stub_stays(own: Stack, shop: Api) -> None:
    before = files(own)
    old, young = full(shop), full(shop)
    told = shop.status(old)
    mine = {path for path in files(own) - before if _belongs(own, path, old)}
    assert mine
    age(own, old, "30 days 1 minute")
    age(own, young, "29 days 23 hours")
    assert purge(own) == 1
    assert not [path for path in mine if path.exists()]
    row = row_of(own, old)
    assert (row["title"], row["description"], row["external_id"]) == ("", "", None)
    assert (row["ip_hash"], row["fingerprint"], row["error"]) == (None, "\\x", None)
    for table in ("image", "finding", "submission_words"):
        rows = own.sql(f"SELECT count(*) FROM {table} WHERE submission_id = %s", old)
        assert rows == [(0,)], table
    assert own.sql("SELECT to_verdict FROM decision WHERE submission_id = %s", old)
    after = shop.status(old)
    assert (after["verdict"], after["visible"]) == (told["verdict"], told["visible"])
    assert "viagra" not in str(after)
    assert row_of(own, young)["title"] == TEXT
    assert own.sql("SELECT count(*) FROM image WHERE submission_id = %s", young) == [(1,)]
    assert purge(own) == 0


def _belongs(stack: Stack, path: Path, job_id: str) -> bool:
    keys = stack.sql("SELECT storage_key FROM image WHERE submission_id = %s", job_id)
    return any(key.split("/")[1] in path.name for (key,) in keys)


def test_what_waits_for_a_person_or_a_client_is_kept(own: Stack, shop: Api) -> None:
    told = own.json("client", "create", "Hooked", "--webhook", "http://127.0.0.1:9/h", "--json")
    flag = full(shop, "review_a.jpg")
    owed = full(Api(own.url, told["key"]))
    debt = full(shop)
    own.sql(
        "UPDATE submission SET review_owed = true, lease_until = 'infinity' WHERE id = %s", debt
    )
    own.sql("UPDATE delivery SET due_at = 'infinity' WHERE submission_id = %s", owed)
    for job_id in (flag, owed, debt):
        age(own, job_id, "90 days")
    assert purge(own) == 0
    own.sql("UPDATE delivery SET state = 'dead' WHERE submission_id = %s", owed)
    own.sql("UPDATE submission SET verdict = 'approved' WHERE id = %s", flag)
    own.sql("UPDATE submission SET review_owed = false WHERE id = %s", debt)
    assert purge(own) == 3
    for job_id in (flag, owed, debt):
        row = row_of(own, job_id)
        assert (row["title"], row["external_id"], row["ip_hash"]) == ("", None, None)
    [(payload,)] = own.sql("SELECT payload FROM delivery WHERE submission_id = %s", owed)
    assert set(payload["data"]) == {"job_id", "verdict", "visible"}


def test_nought_keeps_everything(own: Stack, shop: Api) -> None:
    job_id = full(shop)
    age(own, job_id, "9 years")
    assert purge(own, RETENTION_DAYS="0") == 0
    assert purge(own) == 1


def test_a_process_whose_clock_is_ahead_purges_nothing_early(own: Stack, shop: Api) -> None:
    """The time is the database's: nothing in the purging process can tell it another one."""
    job_id = full(shop)
    age(own, job_id, "29 days 23 hours 30 minutes")
    assert purge(own, TZ="Pacific/Kiritimati", PGTZ="Pacific/Kiritimati") == 0
    assert row_of(own, job_id)["purged_at"] is None


def test_what_was_removed_from_the_configuration_goes_too(own: Stack) -> None:
    own.sql(
        "INSERT INTO known_hash (kind, hash, action, removed_at) VALUES"
        " ('sha256', decode(repeat('ab', 32), 'hex'), 'block', now() - interval '31 days'),"
        " ('sha256', decode(repeat('cd', 32), 'hex'), 'block', now() - interval '29 days'),"
        " ('sha256', decode(repeat('ef', 32), 'hex'), 'block', NULL)"
    )
    own.sql(
        "INSERT INTO rule (kind, pattern, action, label, removed_at) VALUES"
        " ('word', 'longgone', 'review', 'other', now() - interval '31 days')"
    )
    purge(own)
    rows = own.sql("SELECT encode(hash, 'hex') FROM known_hash ORDER BY 1")
    assert [row[0][:2] for row in rows] == ["cd", "ef"]
    assert own.sql("SELECT 1 FROM rule WHERE pattern = 'longgone'") == []


def many(stack: Stack, count: int) -> None:
    """Old decided rows with a picture each, whose files are there."""
    stack.sql(
        "WITH new AS (INSERT INTO submission (id, client_id, user_id, title, priority, mode,"
        " status, verdict, visible, idempotency_key, fingerprint, created_at, decided_at)"
        " SELECT gen_random_uuid(), (SELECT min(id) FROM client), 'many', 'Old words ' || n,"
        " 'normal', 'sync', 'decided', 'approved', true, 'many' || gen_random_uuid(), '',"
        " now() - interval '40 days', now() FROM generate_series(1, %s) n RETURNING id)"
        " INSERT INTO image (id, submission_id, position, storage_key, media_type, bytes, sha256)"
        " SELECT id, id, 0, '2020-01-01/' || id, 'image/jpeg', 1, '' FROM new",
        count,
    )
    folder = stack.home / "media" / "originals" / "2020-01-01"
    folder.mkdir(parents=True, exist_ok=True)
    for (key,) in stack.sql("SELECT storage_key FROM image WHERE storage_key LIKE '2020-01-01/%%'"):
        (folder.parent / key).touch()


def state(stack: Stack) -> dict[str, Any]:
    """What is left of the many: rows, files, files on the list, and links that lead nowhere."""
    on_disk = {path.name for path in (stack.home / "media" / "originals" / "2020-01-01").iterdir()}
    rows = {
        key.split("/")[1]
        for (key,) in stack.sql(
            "SELECT storage_key FROM image WHERE storage_key LIKE '2020-01-01/%%'"
        )
    }
    listed = {
        key.split("/")[1]
        for (key,) in stack.sql(
            "SELECT storage_key FROM removal WHERE storage_key LIKE '2020-01-01/%%'"
        )
    }
    return {"rows": rows, "dangling": rows - on_disk, "unknown": on_disk - rows - listed}


def test_killed_at_any_point_it_leaves_no_orphan_and_no_dangling_link(own: Stack) -> None:
    many(own, 1500)
    for turn in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", NOW],
            cwd=ROOT,
            env={**own.env, "RETENTION_DAYS": "30"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.7 + 0.13 * turn)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        now = state(own)
        assert (now["dangling"], now["unknown"]) == (set(), set())
    purge(own)
    now = state(own)
    assert (now["rows"], now["dangling"], now["unknown"]) == (set(), set(), set())
    assert not any((own.home / "media" / "originals" / "2020-01-01").iterdir())


def test_two_at_once_share_the_work(own: Stack) -> None:
    many(own, 600)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", NOW],
            cwd=ROOT,
            env={**own.env, "RETENTION_DAYS": "30"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    counts = []
    for child in children:
        out, problem = child.communicate(timeout=120)
        assert child.returncode == 0, problem
        counts.append(int(out))
    assert sum(counts) == 600
    assert state(own)["rows"] == set()
