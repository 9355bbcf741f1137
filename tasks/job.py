"""A job: a claimed submission with its pictures, as the checks see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from models.image import Image
from models.settings import Settings
from models.submission import Submission
from models.verdict import Policy
from tasks.pictures import Limits, Picture, read
from tasks.storage import Storage


@dataclass
class Item:
    """One image of a job; its picture is decoded once, by the first check that asks for it."""

    row: Image
    storage: Storage
    limits: Limits
    settled: bool = False  # nothing further is to be asked of this image
    seen: dict[str, Any] = field(default_factory=dict)  # columns that are to be stored
    worst: list[list[float]] = field(default_factory=list)  # [frame, score], the worst first

    @cached_property
    def picture(self) -> Picture:
        """The decoded picture; raises PictureError."""
        picture = read(self.storage.original(self.row.storage_key), self.limits)
        self.seen |= {
            "width": picture.width,
            "height": picture.height,
            "frames": picture.frames,
        }
        return picture

    @property
    def is_decoded(self) -> bool:
        """Whether a check has asked for the picture."""
        return "picture" in self.__dict__


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
        storage = Storage(settings)
        limits = Limits(settings.max_pixels, max_frames=settings.max_frames)
        items = [Item(row, storage, limits) for row in Image.of(submission.id)]
        return cls(submission, submission.client.policy(settings), settings, items)

    @property
    def open_items(self) -> list[tuple[int, Item]]:
        """(position, image) of those that are not settled."""
        return [(item.row.position, item) for item in self.items if not item.settled]
