"""Counts uploads against their limits in Redis: all limits of several uploads in one round trip.

The windows and their keys are those of the library ``limits`` (sliding-window-counter): the count
of the previous window, weighted by the part of it that still overlaps, plus the current count. An
upload that one limit refuses is not counted by any limit. Of concurrent repeats only the
first is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.settings import per_process
from tasks.queue.lanes import get_redis

MARK_SECONDS = 60  # concurrent repeats arrive within it; later ones find the committed row
STORAGE = "LIMITS"  # the library's key prefix
COUNT = """
    -- KEYS: for each upload, the mark of its idempotency key; then for each limit its previous
    -- window and its current window.
    -- ARGV: for each upload, the number of its limits and the seconds that its mark lasts (0: it
    -- has none); then for each limit: maximum, seconds, cost.
    -- Returns two numbers for each upload: 0 or the number of the limit that refuses it, and the
    -- milliseconds until that window has room again.
    local results, key, at = {}, 0, 1
    while ARGV[at] do
      local count, refused, wait = tonumber(ARGV[at]), 0, 0
      local mark, stays = KEYS[key + 1], tonumber(ARGV[at + 1])
      key, at = key + 1, at + 1
      local repeated = stays > 0 and redis.call('EXISTS', mark) == 1
      for i = 1, repeated and 0 or count do
        local last, now = KEYS[key + 2 * i - 1], KEYS[key + 2 * i]
        local most, span = tonumber(ARGV[at + 3 * i - 2]), tonumber(ARGV[at + 3 * i - 1]) * 1000
        local left = redis.call('PTTL', now)
        if left > 0 and left < span then  -- the window has ended: it becomes the previous one
          redis.call('RENAME', now, last)
          left = left + span
          redis.call('SET', now, 0, 'PX', left)
        end
        local before = tonumber(redis.call('GET', last) or 0)
        local weighed, fades = 0, span
        if before > 0 then
          local rest = math.max(redis.call('PTTL', last), 0)
          weighed = math.floor(before * rest / span)
          fades = rest % (span / before)
        end
        local current = tonumber(redis.call('GET', now) or 0)
        if weighed + current + tonumber(ARGV[at + 3 * i]) > most then
          refused, wait = i, math.min(fades, current > 0 and left % span or span)
          break
        end
      end
      if refused == 0 and not repeated then
        if stays > 0 then redis.call('SET', mark, 1, 'EX', stays) end
        for i = 1, count do
          local now, span = KEYS[key + 2 * i], tonumber(ARGV[at + 3 * i - 1]) * 1000
          local cost = ARGV[at + 3 * i]
          if redis.call('INCRBY', now, cost) == tonumber(cost) and redis.call('PTTL', now) < 0 then
            redis.call('PEXPIRE', now, 2 * span)
          end
        end
      end
      results[#results + 1], results[#results + 2] = refused, math.ceil(wait)
      key, at = key + 2 * count, at + 1 + 3 * count
    end
    return results
"""
_count = per_process(lambda _: get_redis().register_script(COUNT))


@dataclass(eq=False, slots=True)
class Count:
    """An upload to be counted: two keys and three numbers for each of its limits.

    After ``count``, ``refused`` is the number of the limit that is used up, or 0, and ``wait``
    is the seconds until that limit has room again. An upload with a name
    in ``once`` is counted only once in ``MARK_SECONDS``.
    """

    keys: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    refused: int = 0
    wait: float = 0.0
    once: str = ""

    def add(self, window: str, most: int, seconds: int, cost: int) -> None:
        """Add ``cost`` to this window, which allows ``most`` in ``seconds``."""
        self.keys += (f"{{{window}}}/-1", f"{{{window}}}")
        self.numbers += (most, seconds, cost)


def count(uploads: Sequence[Count]) -> None:
    """Count uploads against their limits. Raises redis.RedisError; then none is counted."""
    keys: list[str] = []
    numbers: list[int] = []
    for upload in uploads:
        keys += [f"{STORAGE}:once:{upload.once}", *(f"{STORAGE}:{key}" for key in upload.keys)]
        numbers += (len(upload.numbers) // 3, MARK_SECONDS if upload.once else 0, *upload.numbers)
    results = iter(_count()(keys=keys, args=numbers))
    for upload, refused, wait in zip(uploads, results, results, strict=True):
        upload.refused, upload.wait = refused, wait / 1000
