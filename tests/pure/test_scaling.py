"""The number of workers follows the load: enough, bounded, and without thrashing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.capacity.autoscaling import Bounds, Memory, Reading, choose, needed, put_off
from scripts.benches import traffic

BOUNDS = Bounds(fewest=1, most=16)


def run(arrivals, pace=10.0, bounds=BOUNDS, workers=2):
    return list(traffic.serve(arrivals, pace, bounds, workers=workers))


def changes(seconds):
    """(at, before, after) of every change."""
    pairs = itertools.pairwise(seconds)
    return [(b.at, a.workers, b.workers) for a, b in pairs if a.workers != b.workers]


def test_little_law():
    assert needed(Reading(0, 0, 40.0, 10.0, 1), BOUNDS) == 5.0
    assert needed(Reading(0, 4800, 0.0, 10.0, 1), BOUNDS) == 10.0


def test_hosts_share_the_load_as_they_share_the_workers():
    alone, beside = (needed(Reading(0, 0, 80.0, 10.0, 2, n), BOUNDS) for n in (0, 6))
    assert (alone, beside) == (10.0, 2.5)


def test_hosts_that_scale_themselves_come_to_rest_together():
    rate, pace, depth = 80.0, 10.0, 0.0
    hosts, memories = [1, 1, 3], [Memory(), Memory(), Memory()]
    bounds = [BOUNDS, BOUNDS, Bounds(1, 4)]
    seen = []
    for at in range(0, 3600, 5):
        for i, own in enumerate(hosts):
            others = sum(hosts) - own
            reading = Reading(at + i, int(depth), rate, pace, own, others)
            choice = choose(reading, bounds[i], memories[i])
            hosts[i], memories[i] = choice.workers, choice.memory
        depth = max(0.0, depth + 5 * (rate - pace * sum(hosts)))
        seen.append(tuple(hosts))
    assert depth == 0
    assert 10 <= sum(hosts) <= 12  # what one host would take, and at most one more each
    assert len(set(seen[-200:])) == 1


def test_the_reason_says_where_the_bound_holds_it_back():
    told = choose(Reading(0, 0, 400.0, 10.0, 1, 2), BOUNDS, Memory())
    assert told.workers == 16
    assert "2 workers on other hosts; 17 required, 16 allowed" in told.why


def test_without_a_known_pace_nothing_changes():
    assert choose(Reading(0, 900, 50.0, 0.0, 3), BOUNDS, Memory()).workers == 3


def test_a_number_out_of_bounds_is_brought_in():
    assert choose(Reading(0, 0, 0.0, 10.0, 40), BOUNDS, Memory()).workers == 16
    assert choose(Reading(0, 0, 0.0, 10.0, 0), BOUNDS, Memory()).workers == 1


def test_steady_traffic_settles_and_stays():
    seconds = run(traffic.steady(40, 3600))
    assert seconds[-1].workers == 5
    assert len(changes(seconds)) == 2  # up for the backlog of the start, then to the steady number
    assert seconds[-1].depth == 0


def test_a_burst_is_met_at_once_and_drained():
    seconds = run(traffic.burst(5, 1800, at=300, jobs=10_000, over=10))
    first = next(at for at, before, after in changes(seconds) if at >= 300 and after > before)
    assert first < 310
    assert max(second.workers for second in seconds) == 16
    drained = next(second.at for second in seconds if second.at > 310 and second.depth == 0)
    assert drained - 300 < 100
    assert seconds[-1].workers == 1


def test_a_day_is_followed_up_and_down_without_a_backlog():
    seconds = run(traffic.daily_wave(40, 75))
    assert max(second.wait for second in seconds[600:]) < 5
    assert len(changes(seconds)) < 40
    spent = sum(second.workers for second in seconds)
    least = sum(second.arrivals for second in seconds) / 10.0
    assert spent < 1.6 * least


def test_a_wait_is_the_one_that_came_true():
    seconds = run(traffic.burst(0, 900, at=300, jobs=10_000, over=10), workers=1)
    longest = max(seconds, key=lambda second: second.wait)
    emptied = next(s.at for s in seconds if s.at > longest.at and s.depth == 0)
    assert 300 <= longest.at < 312
    assert longest.at + longest.wait == pytest.approx(emptied, abs=1)
    assert 10_000 / (16 * 10) - 10 < longest.wait < 10_000 / (16 * 10) + 10


def test_spikes_do_not_make_it_thrash():
    seconds = run(traffic.spikes(5, 120, 7200, every=120, width=20))
    ups = [at for at, before, after in changes(seconds) if after > before]
    downs = [at for at, before, after in changes(seconds) if after < before]
    assert not downs, "every spike comes within the cooldown"
    assert all(later - sooner >= BOUNDS.up_cooldown for sooner, later in itertools.pairwise(ups))


def test_a_spike_up_and_down_is_left_after_one_cooldown():
    seconds = run(traffic.spikes(5, 120, 1500, every=5000, width=60))
    down = next(at for at, before, after in changes(seconds) if after < before)
    assert BOUNDS.down_cooldown <= down < 60 + 2 * BOUNDS.down_cooldown


def test_a_step_that_was_put_off_is_taken_at_the_next_look():
    memory = choose(Reading(0, 0, 0.0, 10.0, 4), BOUNDS, Memory()).memory
    reading = Reading(301, 0, 0.0, 10.0, 4)
    choice = choose(reading, BOUNDS, memory)
    assert choice.workers == 1
    waits = put_off(choice, reading, memory, "worker_03 is busy")
    assert waits.workers == 4
    assert choose(Reading(306, 0, 0.0, 10.0, 4), BOUNDS, waits.memory).workers == 1


@pytest.mark.parametrize("most", [1, 3])
def test_bounds_hold_whatever_comes(most):
    seconds = run(traffic.steady(500, 600), bounds=Bounds(1, most), workers=1)
    assert {second.workers for second in seconds} <= set(range(1, most + 1))


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=300),
    st.floats(0.1, 100),
    st.integers(1, 4),
    st.integers(4, 32),
)
def test_any_traffic_stays_in_bounds_and_respects_the_cooldowns(arrivals, pace, fewest, most):
    bounds = Bounds(fewest, most, up_cooldown=20, down_cooldown=60)
    seconds = run(arrivals, pace, bounds, workers=fewest)
    assert all(fewest <= second.workers <= most for second in seconds)
    moved = changes(seconds)
    ups = [at for at, before, after in moved if after > before]
    assert all(later - sooner >= 20 for sooner, later in itertools.pairwise(ups))
    for at, before, after in moved:
        if after < before:
            assert not any(at - 60 < other < at for other, _, _ in moved)
