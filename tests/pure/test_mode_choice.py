"""Which mode a load asks for; pure."""

from __future__ import annotations

import pytest

from models.capacity.mode import Load, choose, forced_async, shortage
from models.settings import Settings

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


def test_backpressure_names_what_is_short() -> None:
    assert shortage(Load(memory=50, disk=50), SETTINGS) is None
    assert "memory" in str(shortage(Load(memory=80), SETTINGS))
    assert "disk" in str(shortage(Load(disk=95), SETTINGS))
    assert shortage(Load(memory=99), Settings(enable_backpressure=False)) is None


def test_settings_force_async() -> None:
    images = Settings(moderation_image_async=True)
    assert forced_async(has_text=True, has_images=True, settings=images)
    assert not forced_async(has_text=True, has_images=False, settings=images)
