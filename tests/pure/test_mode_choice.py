"""Which mode a load asks for; pure."""

from __future__ import annotations

from itertools import pairwise

import pytest

from models.capacity.mode import (
    ASYNC,
    FAST_TRACK,
    MODES,
    Load,
    choose,
    forced_async,
    is_last,
    shortage,
)
from models.settings import Settings
from tasks.load.response_counts import rate

SETTINGS = Settings(sync_max_depth=100, fast_track_depth=1000)


@pytest.mark.parametrize(
    ("depth", "before", "after"),
    [
        (0, "sync", "sync"),
        (99, "sync", "sync"),
        (100, "sync", "async"),
        (80, "async", "async"),
        (79, "async", "sync"),
        (999, "async", "async"),
        (1000, "async", "fast_track"),
        (800, "fast_track", "fast_track"),
        (799, "fast_track", "async"),
        (79, "fast_track", "sync"),
        (5000, "sync", "fast_track"),
        (99, "direct", "sync"),
    ],
)
def test_up_at_the_threshold_and_down_below_eighty_percent(
    depth: int, before: str, after: str
) -> None:
    assert choose(Load(priority=0, normal=depth), before, SETTINGS) == after


def test_both_queues_count() -> None:
    assert choose(Load(priority=60, normal=60), "sync", SETTINGS) == "async"


def test_without_redis_it_is_direct() -> None:
    assert choose(Load(redis=False), "fast_track", SETTINGS) == "direct"


def test_a_depth_that_swings_around_the_threshold_does_not_flap() -> None:
    mode, changes = "sync", 0
    for depth in [95, 105] * 50:
        after = choose(Load(normal=depth), mode, SETTINGS)
        changes += after != mode
        mode = after
    assert changes == 1


def lasting_burst(arrivals: float, service: float, seconds: int) -> list[str]:
    """The mode of each second of a burst, from an empty queue; in fast_track nothing enters it."""
    depth, mode, modes = 0.0, "sync", []
    for _ in range(seconds):
        load = Load(normal=int(depth), arrivals=arrivals, service=service)
        mode = choose(load, mode, SETTINGS)
        modes.append(mode)
        depth += 0 if mode == "fast_track" else arrivals
        depth = max(0.0, depth - service)
    return modes


@pytest.mark.parametrize("arrivals", [150, 300, 5000])
def test_a_lasting_burst_stays_in_fast_track(arrivals: float) -> None:
    modes = lasting_burst(arrivals, 45, 120)
    assert modes[-60:] == ["fast_track"] * 60
    assert sum(a != b for a, b in pairwise(modes)) <= 2


def test_what_the_workers_can_do_ends_fast_track() -> None:
    load = Load(normal=500, arrivals=60, service=50)  # in ten seconds: 600 of 1,000
    assert choose(load, "fast_track", SETTINGS) == "async"
    assert choose(Load(normal=500, arrivals=110, service=50), "fast_track", SETTINGS) != "async"


def test_a_burst_that_is_over_ends_each_mode() -> None:
    for before in ("fast_track", "async"):
        assert choose(Load(normal=79, arrivals=0, service=50), before, SETTINGS) == "sync"
    assert choose(Load(normal=79, arrivals=60, service=50), "async", SETTINGS) == "async"


def test_rates_do_not_begin_a_mode() -> None:
    assert choose(Load(normal=10, arrivals=900, service=1), "sync", SETTINGS) == "sync"
    assert choose(Load(normal=500, arrivals=900, service=1), "async", SETTINGS) == "async"


@pytest.mark.parametrize(
    ("before", "current", "elapsed", "expected"),
    [(0, 0, 5.0, 0), (100, 0, 0.0, 10), (100, 50, 5.0, 10), (0, 50, 5.0, 10), (0, 50, 2.5, 4)],
)
def test_the_rate_of_arrivals(before: int, current: int, elapsed: float, expected: float) -> None:
    assert rate(before, current, elapsed) == pytest.approx(expected)


def test_backpressure_names_what_is_short() -> None:
    assert shortage(Load(memory=50, disk=50), SETTINGS) is None
    assert "memory" in str(shortage(Load(memory=80), SETTINGS))
    assert "disk" in str(shortage(Load(disk=95), SETTINGS))
    assert shortage(Load(memory=99), Settings(enable_backpressure=False)) is None


def test_settings_force_async() -> None:
    images = Settings(moderation_image_async=True)
    assert forced_async(has_text=True, has_images=True, settings=images)
    assert not forced_async(has_text=True, has_images=False, settings=images)


def test_fast_track_is_the_last_mode() -> None:
    settings = Settings(fast_track_depth=1000, max_queue_size=10_000)
    assert [name for name in MODES if is_last(name, settings)] == [FAST_TRACK]


def test_async_is_the_last_mode_where_the_queue_cannot_become_long_enough() -> None:
    settings = Settings(fast_track_depth=1000, max_queue_size=999)
    assert [name for name in MODES if is_last(name, settings)] == [ASYNC, FAST_TRACK]
