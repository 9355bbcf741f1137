"""Autoscaling starts workers for a backlog and stops them some time after it is gone."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.support.api import Api, drawn
from tests.support.console import person
from tests.support.stack import running, wait_until


@pytest.fixture(scope="module")
def own():
    settings = {"MIN_WORKERS": "1", "MAX_WORKERS": "3", "WORKERS": "1", "PRIORITY_WORKERS": "0"}
    cooldowns = {"SCALE_DRAIN": "1", "SCALE_UP_COOLDOWN": "1", "SCALE_DOWN_COOLDOWN": "10"}
    free = {"MAX_UPLOADS_PER_MINUTE": "0", "MAX_UPLOADS_PER_HOUR": "0", "SYNC_MAX_DEPTH": "1"}
    with running(**settings, **cooldowns, **free, AUTOSCALE="on") as stack:
        yield stack


def workers(stack) -> int:
    return sum(name.startswith("worker") for name in stack.pids())


def test_the_number_of_workers_follows_the_load(own):
    api = Api(own.url, json.loads(own.run("client", "create", "Flood", "--json").stdout)["key"])
    assert "autoscale" in own.pids()
    assert workers(own) == 1
    for _ in range(3):
        api.decided(drawn())
    time.sleep(6)  # a heartbeat and a reading: the pace of the worker is known
    own.kill("worker_00", signal.SIGSTOP)  # a backlog, however fast this machine is
    jobs = [api.submit(drawn()).json()["job_id"] for _ in range(100)]
    wait_until(lambda: workers(own) > 1, 30)
    own.kill("worker_00", signal.SIGCONT)
    wait_until(lambda: all(api.status(job)["status"] == "decided" for job in jobs[-20:]), 60)
    wait_until(lambda: workers(own) == 1, 60)
    log = (own.home / "log" / "autoscale.log").read_text()
    assert "workers: 1 →" in log
    assert "per second and worker" in log
    told = own.json("status", "--json")["scaled"]
    assert told["after"] == 1
    assert told["before"] > 1
    assert f"{told['before']} → 1 workers" in own.run("status").stdout
    assert f"{told['before']} → 1 workers" in person(own).get("/").text
    [(before, after, why)] = own.sql(
        "SELECT details->'before', details->'after', details->>'why' FROM audit"
        " WHERE action = 'workers.scale' ORDER BY id DESC LIMIT 1"
    )
    assert (before, after) == (told["before"], 1)
    assert why == told["why"]
    assert "scaled the workers of" in person(own, "administrator").get("/audit").text


def test_a_dry_run_reports_and_changes_nothing(own):
    before = workers(own)
    told = own.run("autoscale", "--once", "--dry-run")
    assert f"workers: {before} →" in told.stderr
    assert workers(own) == before


def test_without_a_stack_it_says_so(new_stack):
    stack = new_stack()
    stack.home.mkdir(parents=True)
    refused = stack.run("autoscale", "--once", check=False)
    assert refused.returncode == 3
    assert "not running" in refused.stderr
