"""A job: a claimed submission with its pictures, as the checks see it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from models.image import Image
from models.settings import Settings
from models.submission import Submission
from models.verdict import Policy
from tasks import storage as stores
from tasks.decoder import Budget, Decoded, Decoder
from tasks.opening import Limits, PictureError
from tasks.storage import Storage, original


@cache
def decoder(settings: Settings) -> Decoder:
    """This process's decoder."""
    return Decoder(settings)


@dataclass
class Item:
    """One image of a job; its picture is decoded once, by the first check that asks for it."""

    row: Image
    storage: Storage
    limits: Limits
    decoder: Decoder
    budget: Budget
    settled: bool = False  # nothing further is to be asked of this image
    seen: dict[str, Any] = field(default_factory=dict)  # columns that are to be stored
    worst: list[list[float]] = field(default_factory=list)  # [frame, score], the worst first

    _picture: Decoded | PictureError | None = None

    @property
    def picture(self) -> Decoded:
        """The decoded picture; raises PictureError, the same one each time."""
        if self._picture is None:
            self._picture = self._look()
        if isinstance(self._picture, PictureError):
            raise self._picture
        return self._picture

    def draw(self, frames: Collection[int]) -> dict[int, bytes]:
        """Thumbnails (WebP) of those of the frames that can be read; raises PictureError."""
        with self.storage.file(self._name) as path:
            return self.decoder.draw(path, frames, self.limits)

    @property
    def _name(self) -> str:
        return original(self.row.storage_key)

    def _look(self) -> Decoded | PictureError:
        digest = bytes(self.row.sha256)
        try:
            with self.storage.file(self._name) as path:
                picture = self.decoder.look(path, self.limits, self.budget, digest=digest)
        except PictureError as error:
            return error
        self.seen |= {"width": picture.width, "height": picture.height, "frames": picture.frames}
        return picture


@dataclass
class Job:
    """What the checks work on."""

    submission: Submission
    policy: Policy
    settings: Settings
    items: list[Item]
    owed: bool = False  # a check could not be made; it is owed

    @classmethod
    def of(cls, submission: Submission, settings: Settings) -> Job:
        """The job of a claimed submission."""
        storage, its = stores.of(settings), decoder(settings)
        limits = Limits(settings.max_pixels, max_frames=settings.max_frames)
        budget = its.budget()
        items = [Item(row, storage, limits, its, budget) for row in Image.of(submission.id)]
        return cls(submission, submission.client.policy(settings), settings, items)

    @property
    def open_items(self) -> list[tuple[int, Item]]:
        """(position, image) of those that are not settled."""
        return [(item.row.position, item) for item in self.items if not item.settled]
