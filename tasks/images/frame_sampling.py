"""The frames of an animation that the classifier gets: all, or a representative sample."""

from __future__ import annotations

import heapq

from PIL import Image, ImageChops, ImageStat

from tasks.images.frame_views import PREVIEW_SIDE, Frame, flatten, shrink, upright, views_of
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import Source

CHANGE_SHARE = 4  # one in this many sampled frames is chosen because it changed most


class Sampler:
    """Collects all frames, or an even sample and the frames with the largest changes."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self._preview: Image.Image | None = None
        self._seen: set[int] = set()
        self._even: list[tuple[int, list[Image.Image]]] = []
        self._changed: list[tuple[float, int, list[Image.Image]]] = []  # a heap, least change first
        self._last_thumb: Image.Image | None = None
        self._all = source.frames <= limits.max_frames
        self._room = 0 if self._all else limits.max_frames // CHANGE_SHARE
        self._even_indexes = _evenly(source.frames, max(2, limits.max_frames - self._room))

    def offer(self, index: int, image: Image.Image) -> None:
        """Collect the views of a frame, if it is in the sample."""
        if index == 0:
            self._preview = self._preview_of(image)
        change = 0.0 if self._all else self._change(image)
        if self._all or index in self._even_indexes:
            self._even.append((index, self._views(image)))
        elif self._room and (len(self._changed) < self._room or change > self._changed[0][0]):
            push = heapq.heappush if len(self._changed) < self._room else heapq.heapreplace
            push(self._changed, (change, index, self._views(image)))

    def _preview_of(self, image: Image.Image) -> Image.Image:
        flat = flatten(image, "white")
        # The next frame may overwrite this one, so it is copied unless it is the only frame.
        small = max(flat.size) <= PREVIEW_SIDE and self.source.frames == 1
        return upright(flat if small else shrink(flat, PREVIEW_SIDE), self.source.orientation)

    @property
    def first_preview(self) -> Image.Image:
        """The first frame as a person sees it; raises PictureError if there was none."""
        if self._preview is None:
            raise PictureError("unreadable", "The picture has no frame.")
        return self._preview

    def finish(self) -> tuple[list[Frame], tuple[int, ...]]:
        """The distinct views in order of their frames, and the indexes of the sampled frames."""
        taken = sorted(
            [*self._even, *((index, views) for _, index, views in self._changed)],
            key=lambda pair: pair[0],
        )
        if len(taken) < self.source.frames:
            self.source.notes.append(f"frames sampled {len(taken)} of {self.source.frames}")
        views = [
            Frame(index, view)
            for index, squares in taken
            for view in squares
            if len(taken) == 1 or self._is_new(view)
        ]
        return views, tuple(index for index, _ in taken)

    def _views(self, image: Image.Image) -> list[Image.Image]:
        upright = views_of(image, self.source.orientation)
        return [*upright, *views_of(image, 1)] if self.source.disputed else upright

    def _is_new(self, view: Image.Image) -> bool:
        digest = hash(
            view.tobytes()
        )  # with a random key per process; hashlib would load 4 MB of OpenSSL
        new = digest not in self._seen
        self._seen.add(digest)
        return new

    def _change(self, image: Image.Image) -> float:
        thumb = flatten(image, "white").resize((16, 16), Image.Resampling.BOX)
        last, self._last_thumb = self._last_thumb, thumb
        return sum(ImageStat.Stat(ImageChops.difference(last, thumb)).sum) if last else 0.0


def _evenly(count: int, number: int) -> frozenset[int]:
    """`number` indexes of `count`, evenly spaced, with the first and the last."""
    if count <= number:
        return frozenset(range(count))
    return frozenset(round(i * (count - 1) / (number - 1)) for i in range(number))
