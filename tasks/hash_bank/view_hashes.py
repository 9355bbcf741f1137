"""PDQ hashes of a decoded picture's views: what was scored is what is hashed.

An animation shows many pictures, and a transparent picture shows another one on each background. A
hash of the first frame alone would speak for all of them: an innocent first frame would be blocked
for a bad frame behind it, and an allowed one would let it pass.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import PIL.Image

from models.submissions.image import MIN_PDQ_QUALITY
from tasks.classifier import engine
from tasks.hash_bank.hashing import pdq
from tasks.images.decoder import Decoded

SAME = 6  # bits of 256: views at most this far apart are compared once
MOST_COMPARED = 64  # distinct views of one picture that are compared with known images
# A view of 256 x 256 pixels is enlarged: at its own size the hash moves by 17 bits on average, at
# this size by 9.
HASHED_SIDE = 512


class ViewHashes:
    """The hashes of a picture's views, each made at its first use (about 1 ms).

    A picture with a single view has the hash of its full preview, which is more exact.
    """

    def __init__(self, picture: Decoded) -> None:
        self._picture = picture
        self._made: dict[int, tuple[bytes, int]] = {}

    def __len__(self) -> int:
        return len(self._picture.views)

    def of(self, view: int) -> tuple[bytes, int]:
        """The hash of this view, and its quality from 0 to 100."""
        if view not in self._made:
            self._made[view] = self._hash(view)
        return self._made[view]

    def comparable(self, view: int) -> bytes | None:
        """The hash of this view; None if the view has too little structure to be compared."""
        code, quality = self.of(view)
        return code if quality >= MIN_PDQ_QUALITY else None

    @functools.cached_property
    def distinct(self) -> list[tuple[int, bytes]]:
        """(view, hash) of the comparable views that differ, at most ``MOST_COMPARED``, evenly."""
        kept: list[tuple[int, bytes]] = []
        seen: list[int] = []
        for view in range(len(self)):
            code = self.comparable(view)
            number = int.from_bytes(code or b"")
            if code and all((number ^ other).bit_count() > SAME for other in seen):
                kept.append((view, code))
                seen.append(number)
        if len(kept) <= MOST_COMPARED:
            return kept
        step = (len(kept) - 1) / (MOST_COMPARED - 1)
        return [kept[round(at * step)] for at in range(MOST_COMPARED)]

    @functools.cached_property
    def is_complete(self) -> bool:
        """Whether ``distinct`` stands for every view, so that no other view needs a check."""
        return len(self.distinct) < MOST_COMPARED and all(map(self.comparable, range(len(self))))

    def _hash(self, view: int) -> tuple[bytes, int]:
        if len(self) == 1:
            return pdq(self._picture.grey)
        return hash_of_view(self._picture.views[view])


def hash_of_view(view: PIL.Image.Image) -> tuple[bytes, int]:
    """The hash of a view of 256 x 256 pixels, and its quality."""
    side = (HASHED_SIDE, HASHED_SIDE)
    return pdq(view.convert("L").resize(side, PIL.Image.Resampling.BILINEAR))


def worst_view(views: Sequence[PIL.Image.Image]) -> int:
    """The view with the highest score; a single one is not scored. Raises ``ClassifierDown``."""
    if len(views) == 1:
        return 0
    scores = engine().score(views)
    return max(range(len(scores)), key=scores.__getitem__)
