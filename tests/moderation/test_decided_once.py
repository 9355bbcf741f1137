"""A submission is decided once, even if a worker holds its id two or three times."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg2.errors
import pytest

from tests.support.api import Api, eventually, unique
from tests.support.receiver import receiving
from tests.support.stack import ROOT, Stack, running

NORMAL, PRIORITY = "huey.redis.sluice.normal", "huey.redis.sluice.priority"


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack with one worker, which takes up to 16 jobs at once."""
    limits = {f"MAX_UPLOADS_PER_{name}": "0" for name in ("MINUTE", "HOUR", "MINUTE_PER_IP")}
    with running(WORKERS="1", MODERATION_IMAGE_ASYNC="1", WORKER_BATCH="16", **limits) as stack:
        yield stack


@pytest.fixture
def api(own: Stack) -> Iterator[Api]:
    """A client with a webhook, so that each decision owes one event."""
    with receiving() as receiver:
        name = os.urandom(4).hex()
        made = own.json("client", "create", name, "--webhook", receiver.url, "--json")
        yield Api(own.url, made["key"])


def job(submission_id: str, message_id: str, rank: int) -> bytes:
    """A queued job as the worker reads it; two with other ids are two jobs."""
    return json.dumps([message_id, "tasks.worker.moderate", rank, [submission_id], {}]).encode()


def consequences(own: Stack, submission_id: str) -> dict[str, int]:
    """How often a submission was decided, and what followed from it."""
    counts = {
        "decisions": "SELECT count(*) FROM decision WHERE submission_id = %s",
        "findings": "SELECT count(*) FROM finding WHERE submission_id = %s",
        "events": "SELECT count(*) FROM delivery WHERE submission_id = %s",
        "strikes": "SELECT coalesce(sum(strikes), 0) FROM author a JOIN submission s"
        " ON s.client_id = a.client_id AND s.user_id = a.user_id WHERE s.id = %s",
        "versions": "SELECT version FROM submission WHERE id = %s",
    }
    return {name: int(own.sql(query, submission_id)[0][0]) for name, query in counts.items()}


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("lanes", [(NORMAL,), (PRIORITY,), (NORMAL, PRIORITY)], ids=str)
def test_jobs_of_one_submission_in_one_round(
    own: Stack, api: Api, times: int, lanes: tuple[str, ...]
) -> None:
    own.kill("worker_00", signal.SIGSTOP)
    try:
        sent = [api.submit(unique("reject_a.jpg")).json()["job_id"] for _ in range(8)]
        queue = own.redis()
        for number in range(times - 1):
            for lane in lanes:
                rank = 12 if lane == PRIORITY else 2
                jobs = {job(each, f"{each}-{number}-{lane}", rank): 0 for each in sent}
                queue.zadd(lane, jobs)
    finally:
        own.kill("worker_00", signal.SIGCONT)
    for each in sent:
        assert api.status(each, wait=25)["verdict"] == "rejected"
    eventually(lambda: queue.zcard(NORMAL) + queue.zcard(PRIORITY) == 0)
    eventually(lambda: [worker["state"] for worker in api.stats()["workers"]] == ["idle"])
    expected = {"decisions": 1, "findings": 1, "events": 1, "strikes": 1, "versions": 1}
    assert [consequences(own, each) for each in sent] == [expected] * len(sent)


ROUND = """
import sys
from uuid import UUID
from models.database.connection import connect, connection
from models.moderation.record_verdicts import Outcome, record_verdicts
from models.settings import Settings, use_settings
from models.submissions.lease import claim_several
from models.verdict import Finding, judge
settings = use_settings(Settings.load())
connect(settings, pool=1)
submission_id, times = UUID(sys.argv[1]), int(sys.argv[2])
with connection():
    claimed = claim_several([submission_id] * times, "a lease", seconds=60)
    assert len(claimed) == 1, claimed
    [row] = claimed
    policy = row.client.policy(settings)
    judgement = judge([Finding("rules", "sexual", "reject")], policy)
    outcome = Outcome(row, "a lease", judgement, policy)
    print(len(record_verdicts([outcome] * times)))
"""


@pytest.mark.parametrize("times", [2, 3])
def test_a_claim_and_a_commit_of_the_same_id(own: Stack, api: Api, times: int) -> None:
    own.kill("worker_00", signal.SIGSTOP)
    try:
        submission_id = api.submit(unique("reject_a.jpg")).json()["job_id"]
        done = subprocess.run(
            [sys.executable, "-c", ROUND, submission_id, str(times)],
            cwd=ROOT,
            env=own.env,
            capture_output=True,
            text=True,
        )
    finally:
        own.kill("worker_00", signal.SIGCONT)
    assert done.stdout.strip() == "1", done.stderr
    expected = {"decisions": 1, "findings": 1, "events": 1, "strikes": 1, "versions": 1}
    assert consequences(own, submission_id) == expected


def test_the_database_refuses_a_second_decision_of_the_machine(own: Stack, api: Api) -> None:
    told: dict[str, Any] = api.decided(unique("review_a.jpg"))
    insert = (
        "INSERT INTO decision (submission_id, to_verdict)"
        " SELECT id, 'rejected' FROM submission, generate_series(1, 2) WHERE id = %s"
    )
    with pytest.raises(psycopg2.errors.UniqueViolation):
        own.sql(insert, told["job_id"])
