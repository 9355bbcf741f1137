"""How long a job will wait; pure."""

from __future__ import annotations

import random
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.capacity.wait_estimate import UNKNOWN_RATE, Crew, Pace, estimate, in_lane

SHARE = 1 / 4


@pytest.mark.parametrize(
    ("ahead", "rates", "seconds"),
    [
        (100, [10.0, 10.0], 5.1),
        (0, [20.0], 0.05),
        (0, [20.0, 20.0], 0.05),  # two workers do not make one job quicker
        (99, [], 100 / UNKNOWN_RATE),
        (100, [0.0, 0.0], 5.1),
        (1, [5e-324], 2000.0),  # the slowest that is assumed takes 1000 s for a job
        (30, [10.0, 0.0], 1.6),  # one that has not worked yet counts as a typical one
    ],
)
def test_estimate(ahead: int, rates: list[float], seconds: float) -> None:
    assert estimate(ahead, rates) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("priority", "ahead", "others", "crew", "seconds"),
    [
        (False, 100, 0, Crew([10.0, 10.0]), 5.1),
        (False, 100, 0, Crew([10.0], [10.0]), 10.1),  # the priority worker does none of these
        (True, 100, 0, Crew([10.0], [10.0]), 5.1),
        (False, 10, 1000, Crew([10.0]), 4.1),  # every fourth job is from the normal lane
        (True, 30, 1000, Crew([10.0]), 4.1),
        # 30 priority jobs take 4 s at 7.5 a second; by then 10 normal ones are done
        (False, 20, 30, Crew([10.0]), 4 + 1 + 0.1),
        (True, 100, 0, Crew([], [10.0]), 10.1),
        (False, 99, 0, Crew([], [10.0]), 10.0),  # nobody serves the lane: what one would take
        (False, 1, 1, Crew([5e-324]), 3000.0),  # the other one, this one, and half a batch of one
        (False, 99, 5, Crew(), 10.0 + 5 / UNKNOWN_RATE),
    ],
)
def test_in_lane(priority: bool, ahead: int, others: int, crew: Crew, seconds: float) -> None:
    assert in_lane(priority, ahead, others, crew, SHARE) == pytest.approx(seconds, rel=0.02)


def test_half_of_what_a_worker_takes_at_once_comes_before_a_job():
    crew = Crew([10.0, 10.0])
    one, several = (in_lane(False, 100, 0, crew, SHARE, batch) for batch in (lambda _: 1, _batch))
    assert several - one == pytest.approx((16 - 1) / 2 / 10)
    assert in_lane(False, 0, 0, crew, SHARE, _batch) == pytest.approx(0.1)


def _batch(waiting: int) -> int:
    return max(1, min(16, waiting // 4))


@given(
    st.booleans(),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.lists(st.floats(0, 100), max_size=4),
    st.lists(st.floats(0, 100), max_size=2),
)
def test_a_longer_queue_never_waits_less(priority, ahead, others, both, only):
    crew = Crew(both, only)
    now = in_lane(priority, ahead, others, crew, SHARE)
    assert now > 0
    assert in_lane(priority, ahead + 10, others, crew, SHARE) >= now
    assert in_lane(priority, ahead, others + 10, crew, SHARE) >= now * 0.999


@pytest.mark.parametrize("seed", range(5))
def test_it_foretells_what_a_queue_does(seed):
    """Workers that take jobs as ours do, one by one, each job as long as chance has it."""
    chance = random.Random(seed)
    lanes = {"priority": chance.randrange(200, 800), "normal": chance.randrange(200, 800)}
    rates = [chance.uniform(20, 60) for _ in range(3)]
    crew = Crew(rates[:2], rates[2:])
    told = {
        name: in_lane(name == "priority", lanes[name], lanes[other], crew, SHARE)
        for name, other in (("priority", "normal"), ("normal", "priority"))
    }
    orders = [cycle([("priority", "normal")] * 3 + [("normal", "priority")]) for _ in range(2)]
    orders.append(cycle([("priority",)]))
    left, ended, free = dict(lanes), dict.fromkeys(lanes, 0.0), [0.0] * 3
    while any(left.values()):
        number = min(range(3), key=free.__getitem__)
        taken = next((lane for lane in next(orders[number]) if left[lane]), None)
        if taken is None:
            free[number] = float("inf")
            continue
        left[taken] -= 1
        free[number] += chance.expovariate(rates[number])
        ended[taken] = max(ended[taken], free[number])
    for name, seconds in told.items():
        assert seconds == pytest.approx(ended[name], rel=0.2)


def worked(pace: Pace, jobs: int, seconds: float, looks: int) -> float:
    for _ in range(looks):
        pace.add(jobs, seconds)
    return pace.rate


def test_a_pace_is_none_before_the_first_job_and_stays_over_a_rest():
    pace = Pace()
    assert pace.rate == 0
    assert worked(pace, 20, 0.5, 10) == pytest.approx(40)
    assert worked(pace, 0, 0.0, 100) == pytest.approx(40)


def test_a_pace_follows_a_flood_within_two_seconds_and_back():
    pace = Pace()
    worked(pace, 20, 0.5, 40)
    assert worked(pace, 5, 0.5, 6) < 24
    assert worked(pace, 5, 0.5, 30) == pytest.approx(10, rel=0.05)
    assert worked(pace, 20, 0.5, 8) > 30


def test_a_flood_that_begins_is_known_by_its_first_jobs():
    pace = Pace()
    worked(pace, 80, 0.5, 10)
    assert worked(pace, 20, 0.5, 2) == pytest.approx(40)  # not the 160 of the quiet before


def test_a_flood_that_ends_is_known_as_soon():
    pace = Pace()
    worked(pace, 10, 0.5, 40)
    assert worked(pace, 40, 0.5, 1) == pytest.approx(80)


def test_a_batch_that_is_not_done_yet_is_no_flood():
    pace = Pace()
    worked(pace, 20, 0.5, 20)
    pace.add(0, 0.4)
    assert worked(pace, 16, 0.0, 1) == pytest.approx(40, rel=0.1)


def test_a_pace_of_mixed_jobs_is_steady():
    chance, pace, seen = random.Random(1), Pace(), []
    for _ in range(400):  # seven texts of 4 ms, three pictures of 40 ms, as they come
        jobs = [0.004 if chance.random() < 0.7 else 0.04 for _ in range(20)]
        pace.add(len(jobs), sum(jobs))
        seen.append(pace.rate)
    typical = 1 / (0.7 * 0.004 + 0.3 * 0.04)
    assert sum(abs(rate / typical - 1) < 0.25 for rate in seen[10:]) > 350
