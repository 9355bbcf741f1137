"""scripts/scale: workers start and stop while the other workers keep running."""

from __future__ import annotations

import pytest

from tests.support.stack import running


@pytest.fixture(scope="module")
def own():
    bounds = {"MIN_WORKERS": "1", "MAX_WORKERS": "4", "MAX_PRIORITY_WORKERS": "2"}
    with running(**bounds) as stack:
        yield stack


def pool(stack, stem="worker"):
    return {name: pid for name, pid in stack.pids().items() if name.startswith(stem)}


def test_new_workers_start_and_running_ones_stay(own):
    own.run("scale", "1")
    before = pool(own)
    said = own.run("scale", "3").stdout
    after = pool(own)
    assert "workers: 1 → 3" in said
    assert sorted(after) == ["worker_00", "worker_01", "worker_02"]
    assert after["worker_00"] == before["worker_00"]


def test_the_highest_workers_stop_and_the_others_stay(own):
    own.run("scale", "3")
    before = pool(own)
    own.run("scale", "2")
    after = pool(own)
    assert after == {name: before[name] for name in ("worker_00", "worker_01")}


def test_priority_workers_are_scaled_separately(own):
    workers = pool(own)
    own.run("scale", "--priority", "2")
    assert sorted(pool(own, "priority")) == ["priority_00", "priority_01"]
    assert pool(own) == workers
    own.run("scale", "--priority", "0")
    assert pool(own, "priority") == {}


@pytest.mark.parametrize("arguments", [["0"], ["5"], ["--priority", "3"], ["-1"], ["many"]])
def test_a_number_out_of_bounds_is_refused(own, arguments):
    before = own.pids()
    refused = own.run("scale", *arguments, check=False)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert own.pids() == before


def test_the_error_states_the_bounds(own):
    refused = own.run("scale", "5", check=False)
    assert "1 to 4" in refused.stderr
    assert "MAX_WORKERS" in refused.stderr


def test_without_a_number_it_shows_how_many(own):
    own.run("scale", "2")
    assert "workers: 2" in own.run("scale").stdout


def test_a_dead_member_is_started_again_by_the_supervisor(own):
    own.run("scale", "2")
    old = pool(own)["worker_01"]
    own.kill("worker_01")
    own.run("scale", "2")
    assert pool(own)["worker_01"] != old


def test_the_next_up_keeps_the_number_until_the_setting_changes(own):
    own.run("scale", "3")
    own.down()
    own.up()
    assert len(pool(own)) == 3
    own.down()
    own.up("--workers", "2")
    assert len(pool(own)) == 2


def test_without_a_stack_it_says_so(new_stack):
    stack = new_stack()
    stack.home.mkdir(parents=True)
    refused = stack.run("scale", "2", check=False)
    assert refused.returncode == 3
    assert "not running" in refused.stderr
