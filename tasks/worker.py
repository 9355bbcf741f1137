"""The worker process: Huey's tasks, and the state that they share in one process.

`tasks.consume` starts it. The names under which the tasks are registered (`tasks.worker.moderate`
and so on) are part of every queued message, so they must not change.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import redis
import setproctitle
from huey import Huey

from models.database import connection
from models.settings import get_settings
from models.submissions.image import Image
from models.submissions.submission import Submission
from tasks.heatmaps import draw as heatmaps
from tasks.images.decoder_child import DecoderDown
from tasks.load import metrics_server
from tasks.load.heartbeat import Heartbeat
from tasks.moderation import checks, direct_mode, hash_known_image, pipeline
from tasks.moderation import detect as detection
from tasks.moderation.job import decoder, draw_thumbnail, items_of
from tasks.moderation.prefetch import Urgent
from tasks.observability import logs, metrics, tracing
from tasks.queue.lanes import DETECT, MODERATE, get_huey

RELOAD_EVERY = 10.0  # seconds between two attempts to load a network that is down
log = logging.getLogger("sluice.worker")


class Worker:
    """One worker process: its name, its heartbeat, and the lock that lets one job run at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heart = Heartbeat(name)
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        """``HOST/NAME``, which marks the leases of this worker."""
        return f"{socket.gethostname()}/{self.name}"

    def register(self, huey: Huey) -> None:
        """Register the methods below as Huey tasks, and ``start`` as its start-up hook."""
        huey.on_startup()(self.start)
        for task in (self.moderate, self.detect, self.draw, self.learn, self.heat):
            huey.task()(task)

    def start(self) -> None:
        """Connect, start the heartbeat, load the network, and watch whether Redis is down."""
        settings = get_settings()
        logs.start(settings.log_format)
        tracing.start(settings, self.name)
        setproctitle.setproctitle(f"sluice {self.name}")
        connection.connect(settings, pool=6)
        metrics.start()
        metrics_server.serve()
        self.heart.start()
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        threading.Thread(
            target=direct_mode.run, args=(self.address, self._counting), name="direct", daemon=True
        ).start()

    def moderate(self, submission_id: str) -> None:
        """Moderate a submission by its id, and the next ones if the queue is long."""
        submission_ids = [UUID(submission_id), *_take_more()]
        with self._counting(jobs=0):
            pipeline.moderate_submissions(
                submission_ids, self.address, _take_next, self.heart.count, Urgent(_take_urgent)
            )

    def detect(self, *arguments: Any) -> None:
        """Score pictures of detect requests, which belong to no submission, as one batch."""
        taken = [arguments, *_more(DETECT, get_settings().detect_batch - 1)]
        with self._counting(jobs=0):
            self.heart.count(detection.answer([detection.DetectJob(*each) for each in taken]))

    def draw(self, submission_id: str) -> None:
        """Draw the thumbnails of a submission that was approved without them."""
        with connection.connection():
            for item in items_of(UUID(submission_id), get_settings()):
                draw_thumbnail(item)
                if item.seen.get("thumbnail"):
                    Image.update(thumbnail=True).where(Image.id == item.image.id).execute()

    def learn(self, number: int) -> None:
        """Hash a known image that was added as a picture."""
        with connection.connection(), self._counting():
            hash_known_image.learn(number)

    def heat(self, submission_id: str) -> None:
        """Draw heatmaps of a submission's pictures."""
        with self.lock, connection.connection():
            heatmaps.draw(Submission.get_by_id(submission_id))

    def _warm_up(self) -> None:
        """Start the decoder and load the network before the first upload waits for them.

        If one is down, that is retried every ``RELOAD_EVERY`` seconds, so that the worker recovers
        even if no picture arrives.
        """
        while True:
            self._start_decoder()
            if self.heart.state == "starting" or self.heart.classifier_down:
                with self.lock:
                    self.heart.classifier_down = checks.warm_up()
                    self.heart.state = "idle"
            time.sleep(RELOAD_EVERY)

    def _start_decoder(self) -> None:
        """Start the decoder unless it runs; a job that needs one that does not start is retried."""
        before = self.heart.decoder_unconfined
        try:
            decoder().start()
            self.heart.decoder_down = ""
        except DecoderDown as error:
            self.heart.decoder_down = str(error)
            log.error("%s", error)
        self.heart.decoder_unconfined = decoder().unconfined
        if self.heart.decoder_unconfined and before is None:
            log.warning("the decoder is not fully confined: %s", self.heart.decoder_unconfined)

    @contextmanager
    def _counting(self, jobs: int = 1) -> Iterator[None]:
        """Hold the lock and count the block's jobs; ``jobs`` is 0 if the block counts them."""
        with self.lock:
            self.heart.begin()
            failed = True
            try:
                yield
                failed = False
            finally:
                self.heart.classifier_down = checks.classifier_down
                self.heart.end(failed=failed, jobs=jobs)


def make() -> Worker:
    """The worker of this process, under the name that the supervisor passed."""
    return Worker(os.environ.get("PROCESS_NAME", f"worker_{os.getpid()}"))


def _take_more() -> Sequence[UUID]:
    """Take further submissions from the current job's lane, if the queue is long."""
    return [UUID(arguments[0]) for arguments in _more(MODERATE, get_settings().worker_batch - 1)]


def _take_next() -> Sequence[UUID]:
    """Take the next submissions, if the queue is long enough for a batch."""
    batch = get_settings().worker_batch
    most = batch if batch > 1 else 0
    return [UUID(arguments[0]) for arguments in _more(MODERATE, most, get_huey().storage.take_next)]


def _take_urgent(flows: set[str]) -> UUID | None:
    """Take a submission that somebody waits for, of a client that is behind its share."""
    huey = get_huey()
    try:
        data = huey.storage.take_urgent(MODERATE, flows)
    except redis.RedisError:
        return None
    return UUID(huey.serializer.deserialize(data).args[0]) if data else None


def _more(task: str, most: int, take: Callable[..., list[bytes]] | None = None) -> list[Any]:
    """The arguments of further jobs of this task; empty if Redis is down.

    The consumer itself reports that Redis is down.
    """
    huey = get_huey()
    try:
        taken = (take or huey.storage.take_more)(task, most) if most > 0 else []
    except redis.RedisError:
        return []
    return [huey.serializer.deserialize(data).args for data in taken]
