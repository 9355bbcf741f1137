"""What a worker process runs: ``python -m tasks.consume tasks.worker.huey``."""

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

from models.database import connection
from models.submissions.image import Image
from models.submissions.submission import Submission
from tasks.heatmaps import draw as heatmaps
from tasks.images.decoder import DecoderDown
from tasks.load import prometheus
from tasks.load.heartbeat import Heart
from tasks.moderation import batches, checks, direct_mode
from tasks.moderation import detect as detection
from tasks.moderation import hash_known_image as looking
from tasks.moderation import pipeline as moderation
from tasks.moderation.job import Job, decoder
from tasks.observability import logs, metrics, tracing
from tasks.queue.lanes import DETECT, MODERATE, huey, settings

NAME = os.environ.get("PROCESS_NAME", f"worker_{os.getpid()}")
ASK_AGAIN = 10.0  # seconds between two tries of a network that is down
heart = Heart(NAME)
log = logging.getLogger("sluice.worker")
lock = threading.Lock()  # one job at a time, whichever road it came by


@huey.on_startup()
def start() -> None:
    """Connect, begin to beat, and watch for Redis going away."""
    logs.start(settings.log_format)
    tracing.start(settings, NAME)
    setproctitle.setproctitle(f"sluice {NAME}")
    connection.connect(settings, pool=6)
    metrics.start()
    prometheus.serve()
    decoder(settings)  # made once, before threads ask for it
    heart.start()
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    threading.Thread(
        target=direct_mode.run, args=(_direct_name(), counted), name="direct", daemon=True
    ).start()


def warm_up() -> None:
    """Start the decoder and load the network before the first upload waits for them.

    While the network is down it is tried again, so its return is noticed though no picture comes.
    """
    try:
        decoder(settings).start()
    except DecoderDown as error:  # the job that needs it fails by it, and is tried again
        log.error("%s", error)
    while True:
        if heart.state == "starting" or heart.classifier_down:
            with lock:
                heart.classifier_down = checks.warm_up()
                heart.state = "idle"
        time.sleep(ASK_AGAIN)


def counted(job: Any, *args: Any, jobs: int = 1) -> Any:
    """Run a job, or several together, and count them; ``jobs`` is 0 where it counts itself."""
    with lock:
        heart.begin()
        failed = True
        try:
            result = job(*args)
            failed = False
            return result
        finally:
            heart.classifier_down = checks.down
            heart.end(failed=failed, jobs=jobs)


@huey.task()
def moderate(job_id: str) -> None:
    """Moderate a submission by its id, and those that come next where many wait."""
    ids = [job_id, *(arguments[0] for arguments in more(MODERATE, settings.worker_batch - 1))]
    counted(batches.work, ids, _direct_name(), _take_next, heart.did, jobs=0)


def _take_next() -> list[str]:
    """The submissions that come next, where so many wait that a worker takes several."""
    most = settings.worker_batch if settings.worker_batch > 1 else 0
    return [arguments[0] for arguments in more(MODERATE, most, huey.storage.take_next)]


def more(task: str, most: int, take: Callable[..., list[bytes]] | None = None) -> list[Any]:
    """The arguments of further jobs of this task; Redis' absence is the consumer's to notice."""
    try:
        taken = (take or huey.storage.take_more)(task, most) if most > 0 else []
    except redis.RedisError:
        return []
    return [huey.serializer.deserialize(data).args for data in taken]


@huey.task()
def detect(ticket: str, keys: list[str]) -> None:
    """Score pictures that belong to no submission, with those of others who ask now."""
    asked = [(ticket, keys), *more(DETECT, settings.detect_batch - 1)]
    counted(detection.answer, asked, jobs=len(asked))


@huey.task()
def draw(submission_id: str) -> None:
    """Make the thumbnails of a submission that nobody had to look at before."""
    with connection.connection():
        job = Job.of(Submission.get_by_id(submission_id), settings)
        for item in job.items:
            moderation.draw(item)
            if item.seen.pop("thumbnail", False):
                Image.update(thumbnail=True).where(Image.id == item.row.id).execute()


@huey.task()
def learn(number: int) -> None:
    """See the look of a known image that was given as a picture."""
    with connection.connection():
        counted(looking.learn, number)


@huey.task()
def heat(submission_id: str) -> None:
    """Draw where the network looked in a submission's pictures."""
    with lock, connection.connection():
        heatmaps.draw(Submission.get_by_id(submission_id))


def _direct_name() -> str:
    return f"{socket.gethostname()}/{NAME}"
