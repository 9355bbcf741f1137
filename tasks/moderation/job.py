"""A job: a claimed submission with its pictures, and what its checks have found so far."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import PIL.Image

from models.clients.client import Client
from models.settings import Settings, per_process
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import Finding, Policy
from tasks import storage as stores
from tasks.classifier import engine
from tasks.classifier.base import ClassifierDown
from tasks.hash_bank.view_hashes import ViewHashes, hash_of_view
from tasks.images.decoder import Budget, Decoded, Decoder
from tasks.images.limits import Limits, PictureError
from tasks.observability import tracing
from tasks.queue.lanes import QueuedJob, rank_of
from tasks.storage import Storage, original, still, thumbnail

MOST_PREPARED = 6  # views that are prepared for the network early; each takes 600 KB

# Decodes and hashes pictures during inference. One thread is enough, as there is one decoder. It
# holds no database connection.
decoding_thread = per_process(lambda _: ThreadPoolExecutor(1, thread_name_prefix="decode"))
decoder = per_process(Decoder)


@dataclass(frozen=True, slots=True)
class HashedPicture:
    """A decoded picture, the PDQ hashes of its views, and the network's inputs for it."""

    picture: Decoded
    hashes: ViewHashes
    inputs: Sequence[Any]


@dataclass
class Item:
    """One image of a job. It is decoded once: ahead, or by the first check that needs it."""

    image: Image
    storage: Storage
    limits: Limits
    decoder: Decoder
    budget: Budget
    settled: bool = False  # needs no further check
    seen: dict[str, Any] = field(default_factory=dict)  # new values of the image's columns
    worst: list[list[Any]] = field(default_factory=list)  # [frame, score or None], highest first

    spent: float = 0.0  # seconds of decoding and hashing
    waited: float = 0.0  # seconds that a check waited for these

    _hashed: HashedPicture | PictureError | None = None
    _coming: Future[HashedPicture | PictureError] | None = None

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the picture's bytes."""
        return bytes(self.image.sha256)

    @property
    def picture(self) -> Decoded:
        """The decoded picture; raises PictureError, the same one each time."""
        return self._hash().picture

    @property
    def inputs(self) -> Sequence[Any]:
        """What the network scores: prepared inputs, or the picture's views."""
        return self._hash().inputs

    @property
    def hashes(self) -> ViewHashes:
        """The PDQ hashes of its views; raises PictureError like ``picture``."""
        return self._hash().hashes

    def name_view(self, view: int, score: float | None = None) -> dict[str, int]:
        """Store a view's hash and frame as the picture's: the one that a finding is about.

        Its frame gets a still. Returns the evidence that names the frame, for an animation.
        """
        hashed = self._hash()
        code, quality = hashed.hashes.of(view)
        frame, frames = hashed.picture.views.frames[view], hashed.picture.frames
        views = len(hashed.hashes)
        self.seen |= {"pdq": code, "pdq_quality": quality, "worst_frame": frame}
        self.seen["view"] = {"views": views} if views > 1 else {}
        if frames == 1:
            return {}
        self.worst = [[frame, score]]
        return {"frame": frame, "frames": frames}

    def name_part(self, detail: Mapping[str, Any], image: PIL.Image.Image | None) -> None:
        """Store which extra view was scored; a part of the picture has a hash of its own."""
        self.seen["view"] |= detail
        if image is not None:
            code, quality = hash_of_view(image)
            self.seen |= {"pdq": code, "pdq_quality": quality}

    def crop(self, frame: int, boxes: Sequence[Sequence[float]]) -> list[PIL.Image.Image]:
        """Parts of a frame as views for the network; raises PictureError."""
        with self.storage.file(original(self.image.storage_key)) as path:
            return self.decoder.crop(path, frame, boxes, self.limits, self.budget)

    def decode_ahead(self, trace: str | None) -> None:
        """Have the picture decoded on the thread, as part of this trace (a traceparent)."""
        if self._hashed is None and self._coming is None:
            self._coming = decoding_thread().submit(self._decode_in_trace, trace)

    @property
    def is_ahead(self) -> bool:
        """Whether the picture was decoded ahead and no check has used it yet."""
        return self._coming is not None and self._hashed is None

    def let_go(self) -> None:
        """Release the picture's memory, about 1 MB."""
        self._hashed = self._coming = None

    def draw(self, frames: Collection[int]) -> dict[int, bytes]:
        """Thumbnails (WebP) of those frames that can be read; raises PictureError."""
        with self.storage.file(original(self.image.storage_key)) as path:
            return self.decoder.draw(path, frames, self.limits)

    def _hash(self) -> HashedPicture:
        if self._hashed is None:
            started = time.monotonic()
            self._hashed = self._coming.result() if self._coming else self._decode()
            self.waited += time.monotonic() - started
            if isinstance(self._hashed, HashedPicture):
                self._note(self._hashed)
        if isinstance(self._hashed, PictureError):
            raise self._hashed
        return self._hashed

    def _note(self, hashed: HashedPicture) -> None:
        its = hashed.picture
        noted: dict[str, Any] = {"width": its.width, "height": its.height, "frames": its.frames}
        if len(hashed.hashes) == 1:  # of several views, a check names the one that it is about
            code, quality = hashed.hashes.of(0)
            noted |= {"pdq": code, "pdq_quality": quality}
        # A cached score may have named a part before the picture was decoded for its thumbnail.
        self.seen = noted | self.seen

    def _decode_in_trace(self, trace: str | None) -> HashedPicture | PictureError:
        with tracing.span("ahead", trace):
            return self._decode()

    def _decode(self) -> HashedPicture | PictureError:
        started = time.monotonic()
        try:
            return self._decode_now()
        finally:
            self.spent += time.monotonic() - started

    def _decode_now(self) -> HashedPicture | PictureError:
        try:
            with self.storage.file(original(self.image.storage_key)) as path:
                picture = self.decoder.look(path, self.limits, self.budget, digest=self.digest)
        except PictureError as error:
            return error
        hashes = ViewHashes(picture)
        if len(hashes) == 1:
            hashes.of(0)  # here, on the thread; those of several views are made if they are needed
        return HashedPicture(picture, hashes, inputs_of(picture.views))


def inputs_of(views: Sequence[Any]) -> Sequence[Any]:
    """The network's inputs for these views; the views themselves if they are many."""
    if len(views) > MOST_PREPARED:
        return views
    try:
        return [engine().prepare(view) for view in views]
    except ClassifierDown:  # the classifier's check asks again, and reports it
        return views


@dataclass
class Job:
    """What the checks work on, and what they have found.

    ``scores`` are cached scores by SHA-256, as ``models.submissions.image.scored_twins`` has them;
    None until they are looked up. ``expected_scores`` are their digests and those of pictures that
    are being scored; jobs that were claimed together share both.
    """

    submission: Submission
    lease: str
    policy: Policy
    settings: Settings
    items: list[Item]
    review_owed: bool = False  # a check could not be made now
    findings: list[Finding] = field(default_factory=list)
    made: set[Callable[..., Any]] = field(default_factory=set)  # checks that were made
    scores: Mapping[bytes, tuple[Any, ...]] | None = None
    expected_scores: set[bytes] = field(default_factory=set)
    rejected: bool = False  # no further check is needed
    is_last: bool = False  # no other job follows at once, so its verdict is committed at once
    is_urgent: bool = False  # taken between the jobs of a batch
    begun_at: float = 0.0  # when the work on it began, in seconds of ``time.perf_counter``

    @cached_property
    def queued(self) -> QueuedJob:
        """The job as it was in the queue when it was claimed; a commit changes the verdict."""
        its = self.submission
        rank = rank_of(its.priority, its.mode, owed=its.verdict is not None)
        return QueuedJob(its.id, rank, its.client_id, its.client.weight)

    @property
    def flow(self) -> str:
        """The flow of the queue that pays for it."""
        return self.queued.flow

    def seconds(self, turn: float) -> float:
        """The seconds of work that it took, if its turn took ``turn`` seconds."""
        waited = sum(item.waited for item in self.items)
        return max(0.0, turn - waited) + sum(item.spent for item in self.items)

    @property
    def open_items(self) -> list[tuple[int, Item]]:
        """(position, item) of those that are not settled."""
        return [(item.image.position, item) for item in self.items if not item.settled]

    @property
    def pictures_ahead(self) -> int:
        """How many of its pictures were decoded ahead and not used yet."""
        return sum(item.is_ahead for item in self.items)

    def let_go(self) -> None:
        """Release the memory of its pictures."""
        for item in self.items:
            item.let_go()

    @classmethod
    def load(cls, submissions: Sequence[Submission], lease: str, settings: Settings) -> list[Job]:
        """The jobs of claimed submissions, with their images and clients, in two queries."""
        if not submissions:
            return []
        images: dict[UUID, list[Image]] = defaultdict(list)
        for image in Image.of_all(submission.id for submission in submissions):
            images[image.submission_id].append(image)
        _load_clients(submissions)
        return [
            cls(
                submission,
                lease,
                submission.client.policy(submission.surface),
                settings,
                _items(images[submission.id], settings),
            )
            for submission in submissions
        ]


def items_of(submission_id: UUID, settings: Settings) -> list[Item]:
    """The images of a submission whose verdict is not asked for: to draw from them."""
    return _items(Image.of(submission_id), settings)


def _items(images: Iterable[Image], settings: Settings) -> list[Item]:
    storage, its = stores.of(settings), decoder()
    limits = Limits(settings.max_pixels, max_frames=settings.max_frames)
    budget = its.budget()
    return [Item(image, storage, limits, its, budget) for image in images]


def _load_clients(submissions: Sequence[Submission]) -> None:
    client_ids = {submission.client_id for submission in submissions}
    clients = {client.id: client for client in Client.select().where(Client.id.in_(client_ids))}
    for submission in submissions:
        submission.client = clients[submission.client_id]


def draw_thumbnail(item: Item) -> None:
    """Store a picture's thumbnail, and those of an animation's worst frames.

    Nothing is stored if there is a thumbnail, or if the picture cannot be read.
    """
    if item.image.thumbnail:
        return
    try:
        worst = [int(frame) for frame, _ in item.worst] if item.picture.frames > 1 else []
        drawn = item.draw({0, *worst})
    except PictureError:
        return
    item.storage.write(thumbnail(item.image.storage_key), drawn[0])
    for frame in drawn.keys() & set(worst):
        item.storage.write(still(item.image.storage_key, frame), drawn[frame])
    item.seen["thumbnail"] = True
    if worst:
        item.seen["stills"] = [pair for pair in item.worst if pair[0] in drawn]
