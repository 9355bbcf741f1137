"""PostgreSQL is the truth. What must hold when something dies is tried by ``scripts/faults``, which
``test_faults.py`` runs; here is what needs a closer look."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.api import Api, eventually, unique
from tests.support.stack import ROOT, Stack, running


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack to do harm to."""
    with running(
        WORKERS="2",
        PRIORITY_WORKERS="0",
        LEASE_SECONDS="3",
        SYNC_MAX_DEPTH="5",
        FAST_TRACK_DEPTH="100000",
        SYNC_TIMEOUT="0.2",
    ) as stack:
        yield stack


@pytest.fixture
def api(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", os.urandom(4).hex(), "--json")["key"])


def test_direct_mode_decides_without_redis(own: Stack, api: Api) -> None:
    supervisor = own.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)  # so that it does not start Redis again
    try:
        os.kill(int((own.home / "run" / "redis.pid").read_text()), signal.SIGKILL)
        told = eventually(lambda: _direct(api))
        assert told["status"] in ("received", "processing", "decided")
        assert api.status(told["job_id"], wait=20)["verdict"] == "review"
        eventually(lambda: api.stats()["current_mode"] == "direct")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    eventually(lambda: api.stats()["current_mode"] == "sync")
    assert api.decided(unique("review_a.jpg"))["mode"] == "sync"


def _direct(api: Api) -> dict[str, Any] | None:
    told = api.submit(unique("review_a.jpg")).json()
    return told if told.get("mode") == "direct" else None


def test_what_keeps_failing_is_quarantined_to_a_person(own: Stack, api: Api) -> None:
    supervised = [name for name in own.pids() if name.startswith("worker")]
    for name in supervised:
        own.kill(name, signal.SIGSTOP)
    told = api.submit(unique("review_a.jpg")).json()
    [(key,)] = own.sql("SELECT storage_key FROM image WHERE submission_id = %s", told["job_id"])
    path = own.home / "media" / "originals" / key
    shutil.move(path, path.with_suffix(".away"))  # a fault of ours: the file cannot be opened
    for name in supervised:
        own.kill(name, signal.SIGCONT)
    after = api.status(told["job_id"], wait=25)
    assert (after["status"], after["verdict"], after["visible"]) == ("quarantined", "review", False)
    assert after["reasons"][0]["explanation"] == "Automatic checks failed"
    query = "SELECT evidence::text FROM finding WHERE submission_id = %s"
    [(evidence,)] = own.sql(query, told["job_id"])
    assert "FileNotFoundError" in evidence, "for operators; clients get no paths"
    [(attempts,)] = own.sql("SELECT attempts FROM submission WHERE id = %s", told["job_id"])
    assert attempts == 3
    assert "sluice_submissions_quarantined 1.0" in requests.get(own.url + "/metrics").text


TWO_ROUNDS = """
from models.database.connection import connect, connection
from models.settings import Settings, use_settings
from tasks.maintenance import sweep
connect(use_settings(Settings.load()), pool=2)
with connection():
    print(sweep.remove_orphans(), sweep.remove_orphans(), sweep.remove_orphans())
"""


def test_an_upload_that_never_finished_leaves_no_file_after_the_sweep(own: Stack) -> None:
    folder = own.home / "media" / "originals" / "2020-01-01"
    folder.mkdir(parents=True, exist_ok=True)
    orphan, fresh = folder / "orphan", folder / "fresh"
    for path in (orphan, fresh):
        path.write_bytes(b"half")
    os.utime(orphan, (time.time() - 7200,) * 2)
    command = [sys.executable, "-c", TWO_ROUNDS]
    told = subprocess.run(command, cwd=ROOT, env=own.env, capture_output=True, text=True)
    assert told.stdout.split() == ["0", "1", "0"], told.stderr  # one look may err
    assert (orphan.exists(), fresh.exists()) == (False, True)


def test_what_waits_is_worked_together_and_each_is_decided_once(own: Stack, api: Api) -> None:
    supervised = [name for name in own.pids() if name.startswith("worker")]
    for name in supervised:
        own.kill(name, signal.SIGSTOP)
    names = ["safe_astronaut.jpg"] * 24 + ["reject_a.jpg"] * 6 + ["review_a.jpg"] * 6
    same = unique("safe_coffee.jpg")
    told = [api.submit(unique(name)).json()["job_id"] for name in names]
    twins = [api.submit(same).json()["job_id"] for _ in range(4)]
    broken = api.submit(unique("review_a.jpg")).json()["job_id"]
    [(key,)] = own.sql("SELECT storage_key FROM image WHERE submission_id = %s", broken)
    path = own.home / "media" / "originals" / key
    shutil.move(path, path.with_suffix(".away"))  # it fails among the others, and alone
    for name in supervised:
        own.kill(name, signal.SIGCONT)
    verdicts = [api.status(job, wait=25)["verdict"] for job in told]
    assert verdicts == ["approved"] * 24 + ["rejected"] * 6 + ["review"] * 6
    assert {api.status(job, wait=25)["verdict"] for job in twins} == {"approved"}
    assert api.status(broken, wait=25)["status"] == "quarantined"
    several = own.sql(
        "SELECT count(*), max(s.attempts), count(DISTINCT d.submission_id) FROM submission s"
        " JOIN decision d ON d.submission_id = s.id WHERE s.id = ANY(%s::uuid[])",
        [*told, *twins],
    )
    assert several == [(40, 1, 40)]  # one decision and one attempt each
    together = own.sql(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM decision WHERE submission_id ="
        " ANY(%s::uuid[]) GROUP BY created_at) AS commits",
        told,
    )
    assert together[0][0] > 1
