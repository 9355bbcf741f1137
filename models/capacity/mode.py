"""Chooses the mode of a submission (sync, async, fast_track, direct) from the load. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from models.settings import Settings

SYNC, ASYNC, FAST_TRACK, DIRECT = "sync", "async", "fast_track", "direct"
MODES = (SYNC, ASYNC, FAST_TRACK, DIRECT)
COMING_DOWN = 0.8  # hysteresis: a mode ends below this share of its threshold ...
HORIZON = 10.0  # ... and if the queue would not be back at the threshold within these seconds


@dataclass(frozen=True, slots=True)
class Load:
    """The load: waiting jobs per queue, and memory and disk in use in percent."""

    priority: int = 0
    normal: int = 0
    redis: bool = True
    redis_trouble: str = ""  # what is wrong with Redis, in words
    memory: float = 0.0
    disk: float = 0.0
    arrivals: float = 0.0  # uploads per second lately, of all clients
    service: float = 0.0  # jobs per second that the workers can do

    @property
    def depth(self) -> int:
        """Waiting jobs in both queues."""
        return self.priority + self.normal


def choose(load: Load, previous: str, settings: Settings) -> str:
    """The mode for this load; ``previous`` is the current mode (for hysteresis)."""
    if not load.redis:
        return DIRECT
    growth = load.arrivals - load.service
    if lasts(load.depth, settings.fast_track_depth, growth, previous == FAST_TRACK):
        return FAST_TRACK
    if lasts(load.depth, settings.sync_max_depth, growth, previous in (ASYNC, FAST_TRACK)):
        return ASYNC
    return SYNC


def lasts(depth: float, threshold: float, growth: float, above: bool) -> bool:
    """Whether the mode of this threshold begins, or lasts if the load is ``above`` it already.

    ``growth`` is by how many jobs per second the queue would grow if the mode ended. In fast_track
    uploads do not enter the queue, so it drains under any flood: its depth alone would end the mode
    every few seconds, and the flood would begin it again.
    """
    if not above:
        return depth >= threshold
    return depth >= threshold * COMING_DOWN or depth + growth * HORIZON >= threshold


def is_last(mode: str, settings: Settings) -> bool:
    """Whether no other mode can answer more uploads than this one.

    With a FAST_TRACK_DEPTH above MAX_QUEUE_SIZE fast_track never begins, so async is the last.
    """
    return mode == FAST_TRACK or (mode == ASYNC and not has_fast_track(settings))


def has_fast_track(settings: Settings) -> bool:
    """Whether the queue can become long enough for fast_track."""
    return settings.fast_track_depth <= settings.max_queue_size


def why(load: Load, mode: str, settings: Settings) -> str:
    """The reason for a mode, as a short text."""
    if mode == DIRECT:
        return f"Redis {load.redis_trouble or 'is down'}"
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
