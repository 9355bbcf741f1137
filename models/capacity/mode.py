"""Chooses the mode of a submission (sync, async, fast_track, direct) from the load. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from models.settings import Settings

SYNC, ASYNC, FAST_TRACK, DIRECT = "sync", "async", "fast_track", "direct"
MODES = (SYNC, ASYNC, FAST_TRACK, DIRECT)
COMING_DOWN = 0.8  # hysteresis: a mode ends below this share of its threshold


@dataclass(frozen=True, slots=True)
class Load:
    """The load: waiting jobs per queue, and memory and disk in use in percent."""

    priority: int = 0
    normal: int = 0
    redis: bool = True
    memory: float = 0.0
    disk: float = 0.0

    @property
    def depth(self) -> int:
        """Waiting jobs in both queues."""
        return self.priority + self.normal


def choose(load: Load, previous: str, settings: Settings) -> str:
    """The mode for this load; ``previous`` is the current mode (for hysteresis)."""
    if not load.redis:
        return DIRECT
    if load.depth >= _bound(settings.fast_track_depth, previous == FAST_TRACK):
        return FAST_TRACK
    if load.depth >= _bound(settings.sync_max_depth, previous in (ASYNC, FAST_TRACK)):
        return ASYNC
    return SYNC


def _bound(threshold: int, above: bool) -> float:
    return threshold * COMING_DOWN if above else threshold


def why(load: Load, mode: str, settings: Settings) -> str:
    """The reason for a mode, as a short text."""
    if mode == DIRECT:
        return "Redis is down"
    if mode == FAST_TRACK:
        return f"depth {load.depth:,}, fast-track from {settings.fast_track_depth:,}"
    if mode == ASYNC:
        return f"depth {load.depth:,}, async from {settings.sync_max_depth:,}"
    return f"depth below {settings.sync_max_depth:,}"


def forced_async(*, has_text: bool, has_images: bool, settings: Settings) -> bool:
    """Whether the settings force async for this kind of submission at any load."""
    return (has_text and settings.moderation_content_async) or (
        has_images and settings.moderation_image_async
    )


def shortage(load: Load, settings: Settings) -> str | None:
    """The resource too short to accept uploads, as a text; None if there is room."""
    if not settings.enable_backpressure:
        return None
    if load.disk >= settings.disk_threshold:
        return f"the disk is {load.disk:.0f} % full"
    if load.memory >= settings.memory_threshold:
        return f"memory is {load.memory:.0f} % in use"
    return None
