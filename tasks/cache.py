"""What a worker remembers for a short time."""

from __future__ import annotations

import time

import peewee

from models.image import Image
from tasks.hashing import HashBank

REFRESH = 2.0  # seconds; two look-alikes within it are both looked at, which is harmless


class Recent:
    """The flagged pictures of the last ``seconds``, by their PDQ hashes."""

    def __init__(self, seconds: int, least: float = 0.2) -> None:
        self._seconds, self._least = seconds, least
        self._read_at = float("-inf")
        self._scores: dict[int, float] = {}
        self._bank = HashBank([])

    def nearest(self, code: bytes, limit: int) -> tuple[float, int] | None:
        """(score, distance) of the nearest flagged look-alike within ``limit`` bits."""
        if time.monotonic() - self._read_at >= REFRESH:
            self._read()
        near = self._bank.nearest(code) if self._scores else None
        if near is None or near[1] > limit:
            return None
        return self._scores[near[0]], near[1]

    def _read(self) -> None:
        since = peewee.fn.now() - peewee.SQL("make_interval(secs => %s)", (self._seconds,))
        rows = list(
            Image.select(Image.pdq, Image.score)
            .where(Image.scored_at > since, Image.pdq.is_null(False), Image.score >= self._least)
            .tuples()
        )
        self._scores = {number: float(row[1]) for number, row in enumerate(rows)}
        self._bank = HashBank((number, bytes(row[0])) for number, row in enumerate(rows))
        self._read_at = time.monotonic()
