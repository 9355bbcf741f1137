"""The frames of an animation that the classifier gets: all, or one of each distinct look."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from tasks.images.animation.looks import Look, Looks
from tasks.images.frame_views import PREVIEW_SIDE, Frame, flatten, shrink, upright, views_of
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import Source


class Sampler:
    """Collects the views of all `count` frames, or of a sample if they exceed `max_frames`."""

    def __init__(self, source: Source, count: int, limits: Limits) -> None:
        self.source, self._count = source, count
        self._preview: Image.Image | None = None
        self._seen: set[int] = set()
        self._looks = Looks(limits.max_frames)
        self._all = count <= limits.max_frames

    def offer(
        self,
        index: int,
        readings: Sequence[Image.Image],
        duration: int = 0,
        *,
        always: bool = False,
    ) -> None:
        """Collect the views of a frame that stands for `duration` ms, if it is in the sample.

        The first of its readings is that of browsers; `always` puts it into the sample.
        """
        if self._preview is None:
            self._preview = self._preview_of(readings[0])
        views = [view for image in readings for view in self._views(image)]
        look = Look(index, views, duration)
        if self._all:
            self._looks.keep(look)
        else:
            self._looks.offer(look, always=always or index in (0, self._count - 1))

    def _preview_of(self, image: Image.Image) -> Image.Image:
        flat = flatten(image, "white")
        # The next frame may overwrite this one, so it is copied unless it is the only frame.
        small = max(flat.size) <= PREVIEW_SIDE and self._count == 1
        return upright(flat if small else shrink(flat, PREVIEW_SIDE), self.source.orientation)

    @property
    def first_preview(self) -> Image.Image:
        """The first frame as a person sees it; raises PictureError if there was none."""
        if self._preview is None:
            raise PictureError("unreadable", "The picture has no frame.")
        return self._preview

    def finish(self) -> tuple[list[Frame], tuple[int, ...]]:
        """The distinct views in order of their frames, and the indexes of the sampled frames."""
        taken = self._looks.taken()
        if len(taken) < self._count:
            self.source.notes.append(f"frames sampled {len(taken)} of {self._count}")
        if self._looks.too_many:
            self.source.doubts.append("more different frames than can be scored")
        views = [
            Frame(look.index, view)
            for look in taken
            for view in look.views
            if len(taken) == 1 or self._is_new(view)
        ]
        return views, tuple(look.index for look in taken)

    def _views(self, image: Image.Image) -> list[Image.Image]:
        upright = views_of(image, self.source.orientation)
        other = self.source.other_orientation
        return [*upright, *views_of(image, other)] if other else upright

    def _is_new(self, view: Image.Image) -> bool:
        digest = hash(
            view.tobytes()
        )  # with a random key per process; hashlib would load 4 MB of OpenSSL
        new = digest not in self._seen
        self._seen.add(digest)
        return new
