"""A job: a claimed submission with its pictures, as the checks see it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.clients.client import Client
from models.settings import Settings, per_process
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import Finding, Policy
from tasks import storage as stores
from tasks.classifier.base import ClassifierDown
from tasks.classifier.configured import engine
from tasks.hash_bank.hashing import pdq
from tasks.images.decoder import Budget, Decoded, Decoder
from tasks.images.limits import Limits, PictureError
from tasks.observability import tracing
from tasks.storage import Storage, original

MOST_PREPARED = 6  # views whose input of the network, 600 KB each, is made ahead

# Pictures are decoded and hashed here while the network runs on the one before. One thread, as
# there is one decoder; it holds no database connection.
ahead = per_process(lambda _: ThreadPoolExecutor(1, thread_name_prefix="ahead"))
decoder = per_process(Decoder)


@dataclass(frozen=True, slots=True)
class Looked:
    """A decoded picture, its PDQ hash and quality, and what the network takes where it is made."""

    picture: Decoded
    code: bytes
    quality: int
    inputs: Sequence[Any]


@dataclass
class Item:
    """One image of a job; its picture is decoded once, ahead or by the first check that asks."""

    row: Image
    storage: Storage
    limits: Limits
    decoder: Decoder
    budget: Budget
    settled: bool = False  # nothing further is to be asked of this image
    seen: dict[str, Any] = field(default_factory=dict)  # columns that are to be stored
    worst: list[list[float]] = field(default_factory=list)  # [frame, score], the worst first

    _looked: Looked | PictureError | None = None
    _coming: Future[Looked | PictureError] | None = None

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the picture's bytes."""
        return bytes(self.row.sha256)

    @property
    def picture(self) -> Decoded:
        """The decoded picture; raises PictureError, the same one each time."""
        return self._look().picture

    @property
    def inputs(self) -> Sequence[Any]:
        """What the network scores: the picture's views, or what was made of them ahead."""
        return self._look().inputs

    def prepare(self, trace: str | None) -> None:
        """Have the picture decoded beside other work, as a part of this trace."""
        if self._looked is None and self._coming is None:
            self._coming = ahead().submit(self._decode_ahead, trace)

    @property
    def is_ahead(self) -> bool:
        """Whether its picture was prepared and has not been looked at."""
        return self._coming is not None and self._looked is None

    def let_go(self) -> None:
        """Forget the picture, which is some 1 MB."""
        self._looked = self._coming = None

    def draw(self, frames: Collection[int]) -> dict[int, bytes]:
        """Thumbnails (WebP) of those of the frames that can be read; raises PictureError."""
        with self.storage.file(self._name) as path:
            return self.decoder.draw(path, frames, self.limits)

    @property
    def _name(self) -> str:
        return original(self.row.storage_key)

    def _look(self) -> Looked:
        if self._looked is None:
            self._looked = self._coming.result() if self._coming else self._decode()
            if isinstance(self._looked, Looked):
                self._note(self._looked)
        if isinstance(self._looked, PictureError):
            raise self._looked
        return self._looked

    def _note(self, looked: Looked) -> None:
        its = looked.picture
        self.seen |= {"width": its.width, "height": its.height, "frames": its.frames}
        self.seen |= {"pdq": looked.code, "pdq_quality": looked.quality}

    def _decode_ahead(self, trace: str | None) -> Looked | PictureError:
        with tracing.span("ahead", trace):
            return self._decode()

    def _decode(self) -> Looked | PictureError:
        try:
            with self.storage.file(self._name) as path:
                picture = self.decoder.look(path, self.limits, self.budget, digest=self.digest)
        except PictureError as error:
            return error
        return Looked(picture, *pdq(picture.grey), inputs_of(picture.views))


def inputs_of(views: Sequence[Any]) -> Sequence[Any]:
    """What the network takes of these views; the views themselves where they are many."""
    if len(views) > MOST_PREPARED:
        return views
    try:
        return [engine().prepare(view) for view in views]
    except ClassifierDown:  # it is asked again, and told, by the check
        return views


@dataclass
class Job:
    """What the checks work on."""

    submission: Submission
    policy: Policy
    settings: Settings
    items: list[Item]
    owed: bool = False  # a check could not be made; it is owed
    findings: list[Finding] = field(default_factory=list)
    made: set[Callable[..., Any]] = field(default_factory=set)  # checks
    twins: Mapping[bytes, tuple[Any, ...]] | None = None  # known by their SHA-256; not looked up
    coming: set[bytes] = field(default_factory=set)  # those, and what is at work with it
    rejected: bool = False  # no further check is needed

    @property
    def pictures_ahead(self) -> int:
        """How many of its pictures were prepared and have not been looked at."""
        return sum(item.is_ahead for item in self.items)

    def let_go(self) -> None:
        """Forget its pictures."""
        for item in self.items:
            item.let_go()

    @classmethod
    def of(cls, submission: Submission, settings: Settings) -> Job:
        """The job of a submission."""
        return cls.of_all([submission], settings)[0]

    @classmethod
    def of_all(cls, submissions: Sequence[Submission], settings: Settings) -> list[Job]:
        """The jobs of submissions, with all that they need of the database in two queries."""
        rows = Image.of_all(row.id for row in submissions)
        mine: dict[UUID, list[Image]] = defaultdict(list)
        for row in rows:
            mine[row.submission_id].append(row)
        _give_clients(submissions)
        return [
            cls(
                row,
                row.client.policy(settings),
                settings,
                _items(mine[row.id], settings),
            )
            for row in submissions
        ]

    @property
    def open_items(self) -> list[tuple[int, Item]]:
        """(position, image) of those that are not settled."""
        return [(item.row.position, item) for item in self.items if not item.settled]


def _items(rows: Iterable[Image], settings: Settings) -> list[Item]:
    storage, its = stores.of(settings), decoder()
    limits = Limits(settings.max_pixels, max_frames=settings.max_frames)
    budget = its.budget()
    return [Item(row, storage, limits, its, budget) for row in rows]


def _give_clients(submissions: Sequence[Submission]) -> None:
    wanted = {row.client_id for row in submissions}
    clients = {client.id: client for client in Client.select().where(Client.id.in_(wanted))}
    for row in submissions:
        row.client = clients[row.client_id]
