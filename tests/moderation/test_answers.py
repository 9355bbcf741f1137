"""Answers are counted across the web processes: how many, which failed, how long they took."""

from __future__ import annotations

import pytest

from tasks.load import response_counts
from tests.support.stack import wait_until


def test_a_percentile_is_right_to_a_step():
    steps = {response_counts.step(0.01): 90, response_counts.step(3.0): 10}
    assert 0.01 <= response_counts.percentile(steps, 0.90) <= 0.012
    assert 3.0 <= response_counts.percentile(steps, 0.95) <= 3.6


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.001, 0.2, 5.0, 300.0])
def test_a_step_holds_its_time(seconds):
    step = response_counts.step(seconds)
    assert seconds <= response_counts.longest(step) * 1.000001
    assert step == 0 or response_counts.longest(step - 1) < seconds


def test_too_few_answers_tell_nothing():
    few = response_counts.summed([{b"all": b"3", b"errors": b"3", b"t5": b"3"}])
    assert (few.count, few.error_rate, few.p95) == (3, None, None)


def test_buckets_add_up():
    told = response_counts.summed(
        [{b"all": b"30", b"errors": b"2", b"t9": b"30"}, {}, {b"all": b"10"}]
    )
    assert (told.count, told.errors, told.error_rate) == (40, 2, 5.0)


def test_real_answers_reach_redis_and_health_checks_do_not(stack, http):
    def counted() -> tuple[int, int]:
        keys = list(stack.redis().scan_iter(response_counts.KEY + "*"))
        told = response_counts.summed(stack.redis().hgetall(key) for key in keys)
        return told.count, told.errors

    before, errors = counted()
    for _ in range(30):
        assert http.get(stack.url + "/api/moderation/stats").status_code == 200
        http.get(stack.url + "/healthz")
    wait_until(lambda: counted()[0] >= before + 30)
    assert counted()[1] == errors
    assert all(
        stack.redis().ttl(key) > 0 for key in stack.redis().scan_iter(response_counts.KEY + "*")
    )
