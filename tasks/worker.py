"""What a worker process does: Huey's tasks, and the state that they share in one process.

`tasks.consume` starts it. The names under which the tasks are registered (`tasks.worker.moderate`
and so on) are part of every queued message, so they must stay as they are.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
import setproctitle
from huey import Huey

from models.database import connection
from models.settings import get_settings
from models.submissions.image import Image
from models.submissions.submission import Submission
from tasks.heatmaps import draw as heatmaps
from tasks.images.decoder import DecoderDown
from tasks.load import prometheus
from tasks.load.heartbeat import Heart
from tasks.moderation import batches, checks, direct_mode, hash_known_image, pipeline
from tasks.moderation import detect as detection
from tasks.moderation.job import Job, decoder
from tasks.observability import logs, metrics, tracing
from tasks.queue.lanes import DETECT, MODERATE, get_huey

ASK_AGAIN = 10.0  # seconds between two tries to load a network that is down
log = logging.getLogger("sluice.worker")


class Worker:
    """One worker process: its name, its heartbeat, and the lock that lets one job run at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heart = Heart(name)
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        """``HOST/NAME``, which marks the leases of this worker."""
        return f"{socket.gethostname()}/{self.name}"

    def register(self, huey: Huey) -> None:
        """Make the methods below Huey's tasks, and ``start`` its hook at start-up."""
        huey.on_startup()(self.start)
        for task in (self.moderate, self.detect, self.draw, self.learn, self.heat):
            huey.task()(task)

    def start(self) -> None:
        """Connect, start the heartbeat, and watch whether Redis is available."""
        settings = get_settings()
        logs.start(settings.log_format)
        tracing.start(settings, self.name)
        setproctitle.setproctitle(f"sluice {self.name}")
        connection.connect(settings, pool=6)
        metrics.start()
        prometheus.serve()
        self.heart.start()
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        threading.Thread(
            target=direct_mode.run, args=(self.address, self._counted), name="direct", daemon=True
        ).start()

    def moderate(self, job_id: str) -> None:
        """Moderate a submission by its id, and those that come next if many wait."""
        most = get_settings().worker_batch - 1
        ids = [job_id, *(arguments[0] for arguments in _more(MODERATE, most))]
        self._counted(batches.work, ids, self.address, _take_next, self.heart.did, jobs=0)

    def detect(self, ticket: str, keys: list[str]) -> None:
        """Score pictures that belong to no submission, with those of other current requests."""
        requested = [(ticket, keys), *_more(DETECT, get_settings().detect_batch - 1)]
        self._counted(detection.answer, requested, jobs=len(requested))

    def draw(self, submission_id: str) -> None:
        """Make the thumbnails of a submission that nobody had to look at before."""
        with connection.connection():
            job = Job.of(Submission.get_by_id(submission_id), get_settings())
            for item in job.items:
                pipeline.draw(item)
                if item.seen.pop("thumbnail", False):
                    Image.update(thumbnail=True).where(Image.id == item.row.id).execute()

    def learn(self, number: int) -> None:
        """Hash a known image that was given as a picture."""
        with connection.connection():
            self._counted(hash_known_image.learn, number)

    def heat(self, submission_id: str) -> None:
        """Draw heatmaps of a submission's pictures."""
        with self.lock, connection.connection():
            heatmaps.draw(Submission.get_by_id(submission_id))

    def _warm_up(self) -> None:
        """Start the decoder and load the network before the first upload waits for them.

        While the network is down it is loaded again at intervals, so its return is noticed even
        if no picture comes.
        """
        try:
            decoder().start()
        except DecoderDown as error:  # the job that needs it fails by it, and is tried again
            log.error("%s", error)
        while True:
            if self.heart.state == "starting" or self.heart.classifier_down:
                with self.lock:
                    self.heart.classifier_down = checks.warm_up()
                    self.heart.state = "idle"
            time.sleep(ASK_AGAIN)

    def _counted(self, job: Callable[..., Any], *args: Any, jobs: int = 1) -> Any:
        """Run a job, or several together, and count them; ``jobs`` is 0 if it counts itself."""
        with self.lock:
            self.heart.begin()
            failed = True
            try:
                result = job(*args)
                failed = False
                return result
            finally:
                self.heart.classifier_down = checks.down
                self.heart.end(failed=failed, jobs=jobs)


def make() -> Worker:
    """The worker of this process, by the name that the supervisor gave it."""
    return Worker(os.environ.get("PROCESS_NAME", f"worker_{os.getpid()}"))


def _take_next() -> list[str]:
    """The submissions that come next, if so many wait that a worker takes several."""
    batch = get_settings().worker_batch
    most = batch if batch > 1 else 0
    return [arguments[0] for arguments in _more(MODERATE, most, get_huey().storage.take_next)]


def _more(task: str, most: int, take: Callable[..., list[bytes]] | None = None) -> list[Any]:
    """The arguments of further jobs of this task; none if Redis is down, which the consumer
    notices itself."""
    huey = get_huey()
    try:
        taken = (take or huey.storage.take_more)(task, most) if most > 0 else []
    except redis.RedisError:
        return []
    return [huey.serializer.deserialize(data).args for data in taken]
