"""The distinct looks of a long animation, so that each one is scored.

A frame that looks like one before only adds its time to it. If there are more looks than room, the
radius within which looks count as one grows: this is incremental clustering (Charikar, Chekuri,
Feder and Motwani, 1997). If it would grow beyond what a person overlooks, those that stand longest
remain, and a person must look.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from PIL import Image, ImageChops

FIRST_RADIUS = 2.0  # levels of 255: less is rounding or dither
GROWTH = 1.5
# Beyond this radius, frames that differ for a person would be taken for one. Levels of 255: two
# photos differ by 180, a photo and itself moved by 1 % by 25.
LARGEST_RADIUS = 32
MOST_COMPARED = 16  # earlier looks, the newest first; too few only means more looks
_THUMB_FACTOR, _BLOCK = 8, 4  # a view of 256 x 256 is compared at 32 x 32, in blocks of 4 x 4


@dataclass(eq=False)
class Look:
    """A frame with its views, and how long it and those that look like it stand, in ms."""

    index: int
    views: list[Image.Image]
    duration: float
    always: bool = False  # it must remain

    @cached_property
    def thumbs(self) -> list[Image.Image]:
        return [view.reduce(_THUMB_FACTOR) for view in self.views]

    @cached_property
    def means(self) -> bytes:
        """The averages of the quarters of the first view: a look that differs here differs."""
        return self.thumbs[0].resize((2, 2), Image.Resampling.BOX).tobytes()

    def may_be_like(self, other: Look, radius: float) -> bool:
        """False only if `distance` exceeds the radius; much faster."""
        pairs = zip(self.means, other.means, strict=True)
        return all(abs(one - two) <= radius + 1 for one, two in pairs)

    def distance(self, other: Look) -> int:
        """The largest difference of the same 1/64 of both looks, in levels of 255."""
        if len(self.thumbs) != len(other.thumbs):
            return 255
        return max(map(_apart, self.thumbs, other.thumbs))


def _apart(one: Image.Image, other: Image.Image) -> int:
    blocks = ImageChops.difference(one, other).reduce(_BLOCK)
    return max(high for _, high in blocks.getextrema())  # type: ignore[misc]


@dataclass
class Looks:
    """Up to `room` looks."""

    room: int
    radius: float = FIRST_RADIUS
    too_many: bool = False  # whether distinct looks were left out
    _looks: list[Look] = field(default_factory=list)
    _by_digest: dict[int, Look] = field(default_factory=dict)

    def keep(self, look: Look) -> None:
        """Add a look without any comparison."""
        self._looks.append(look)

    def offer(self, look: Look, *, always: bool = False) -> None:
        """Add a look, or its time to the one that it looks like; `always` makes it remain."""
        look.always = always
        digest = hash(b"".join(view.tobytes() for view in look.views))
        same = self._by_digest.get(digest) or (None if always else self._like(look))
        if same:
            same.duration += look.duration
            same.always |= always
            self._by_digest[digest] = same
            return
        self._looks.append(look)
        self._by_digest[digest] = look
        while len(self._looks) > max(self.room, 2):
            if self.radius * GROWTH <= LARGEST_RADIUS:
                self._merge()
            else:
                self._drop_one()

    def _like(self, look: Look) -> Look | None:
        """The newest look within the radius: a frame mostly looks like one shortly before it."""
        near = (one for one in reversed(self._looks) if one.may_be_like(look, self.radius))
        for one in islice(near, MOST_COMPARED):
            if one.distance(look) <= self.radius:
                return one
        return None

    def _merge(self) -> None:
        self.radius *= GROWTH
        before = sorted(self._looks, key=lambda look: (not look.always, -look.duration, look.index))
        self._looks = []
        for look in before:
            same = None if look.always else self._like(look)
            if same:
                same.duration += look.duration
            else:
                self._looks.append(look)
        self._looks.sort(key=lambda look: look.index)
        self._by_digest.clear()  # of looks that may be gone

    def _drop_one(self) -> None:
        self.too_many = True
        self._looks.remove(min(self._looks, key=lambda look: (look.always, look.duration)))

    def taken(self) -> list[Look]:
        """The looks in order of their frames."""
        return self._looks
