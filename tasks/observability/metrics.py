"""Metrics: the counters and timers of the processes, under the names that Prometheus reads.

Each process stores them in its slot of a shared folder (``metric_files``), so that any web process
can serve those of all. A value that can be read at the scrape, such as the queue's depth, is not
here but in ``tasks.load.prometheus``.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from models.database import connection
from models.settings.detectors import DETECTORS
from models.submissions.submission import PRIORITIES
from models.verdict import APPROVED, REJECTED, REVIEW
from tasks.observability import metric_files, tracing

SAMPLE_EVERY = 5.0  # seconds between two samples of the pool
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
OLD_ADAPTIVE_SCOPE = "pressure"  # the adaptive limit in 0.1.0; 0.2 is the last with both names
MACHINE, RULES, PERSON = "machine", "rules", "person"  # who gave a verdict
DETECTOR_FAILURES = ("failed", "down", "late", "invalid")


class Meters:
    """Every metric of a process, registered once.

    ``values.ValueClass`` is how the client library stores a number. It is read when a metric is
    created, so the metrics are created at the first use and not at import.
    """

    def __init__(self) -> None:
        values.ValueClass = metric_files.value_class()
        self.registry = CollectorRegistry()
        self._define_http()
        self._define_work()
        self._define_detectors()
        self._define_verdicts()
        self._define_servers()
        self._start_at_zero()

    def _define_http(self) -> None:
        self.requests = self._counter(
            "sluice_http_requests_total",
            "Requests that the application answered.",
            ("method", "route", "status"),
        )
        self.request_seconds = self._histogram(
            "sluice_http_request_duration_seconds",
            "Response time, without streams and requested waits.",
            FAST,
            ("method", "route"),
        )
        self.limited = self._counter(
            "sluice_limited_total", "Uploads that a limit refused.", ("scope",)
        )

    def _define_work(self) -> None:
        self.queue_wait = self._histogram(
            "sluice_queue_wait_seconds",
            "Time from the commit of an upload to its claim by a worker.",
            SLOW,
            ("lane",),
        )
        self.processing = self._histogram(
            "sluice_processing_seconds", "A worker's time on one submission, claim to commit.", FAST
        )
        self.failed = self._counter(
            "sluice_processing_failed_total", "Attempts at a submission that failed."
        )
        self.inference = self._histogram(
            "sluice_inference_seconds", "The network's time on one batch.", FAST
        )
        self.batch = self._histogram(
            "sluice_inference_batch_size",
            "Pictures in one batch.",
            (1, 2, 4, 8, 16, 32, 64, 128, 256),
        )
        self.decoding = self._histogram(
            "sluice_decoding_seconds", "Time to decode one picture.", FAST
        )
        self.given_up = self._counter(
            "sluice_decoding_given_up_total", "Pictures whose decoding was given up.", ("reason",)
        )

    def _define_detectors(self) -> None:
        self.detector_calls = self._counter(
            "sluice_detector_calls_total",
            "Calls of a detector, failed ones included.",
            ("detector",),
        )
        self.detector_seconds = self._histogram(
            "sluice_detector_seconds", "Time of one call of a detector.", FAST, ("detector",)
        )
        self.detector_failures = self._counter(
            "sluice_detector_failures_total",
            "Calls of a detector that gave no scores.",
            ("detector", "reason"),
        )
        self.detector_flags = self._counter(
            "sluice_detector_flags_total",
            "Calls in which a detector scored a label at REVIEW_AT or above.",
            ("detector", "label"),
        )

    def _define_verdicts(self) -> None:
        self.hits = self._counter("sluice_cache_hits_total", "Cache hits.", ("cache", "layer"))
        self.misses = self._counter(
            "sluice_cache_misses_total", "Cache misses.", ("cache", "layer")
        )
        self.verdicts = self._counter(
            "sluice_verdicts_total", "Verdicts, changes included.", ("verdict", "mode", "by")
        )
        self.deliveries = self._counter(
            "sluice_deliveries_total", "Attempts of webhook calls.", ("outcome",)
        )
        self.delivery_seconds = self._histogram(
            "sluice_delivery_duration_seconds", "Time of one attempt of a webhook call.", FAST
        )

    def _define_servers(self) -> None:
        self.pool = Gauge(
            "sluice_db_pool_connections",
            "Database connections that the processes hold in their pools.",
            ("state",),
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def _counter(self, name: str, about: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _histogram(
        self, name: str, about: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=self.registry)

    def _start_at_zero(self) -> None:
        """Known label values are 0 from the start: a rate needs a first value."""
        for verdict in (APPROVED, REVIEW, REJECTED):
            self.verdicts.labels(verdict, "async", MACHINE)
        for outcome in ("delivered", "failed", "refused", "gone", "blocked"):
            self.deliveries.labels(outcome)
        for reason in ("too_slow", "too_hungry", "crashed"):
            self.given_up.labels(reason)
        for scope in (
            "author",
            "author_ip",
            "client",
            "client_day",
            "client_bytes",
            "all",
            "adaptive_limit",
            OLD_ADAPTIVE_SCOPE,
        ):
            self.limited.labels(scope)
        for lane in PRIORITIES:
            self.queue_wait.labels(lane)
        for cache, layer in product(
            ("same_bytes", "look_alikes"), ("process", "redis", "postgres")
        ):
            self.hits.labels(cache, layer)
            self.misses.labels(cache, layer)
        for state in ("in_use", "idle"):
            self.pool.labels(state)
        for name, labels in DETECTORS.items():
            self.detector_calls.labels(name)
            self.detector_seconds.labels(name)
            for reason in DETECTOR_FAILURES:
                self.detector_failures.labels(name, reason)
            for label in labels:
                self.detector_flags.labels(name, label)


meters = functools.cache(Meters)  # ``start`` calls it in each process before it has threads


def verdict(given: str | None, mode: str, by: str) -> None:
    """Count a verdict; ``by`` is MACHINE (a worker), RULES (fast rules) or PERSON."""
    if given is not None:
        meters().verdicts.labels(given, mode, by).inc()


def cached(cache: str, layer: str, *, hit: bool) -> None:
    """Count a cache lookup; ``layer`` is process, redis or postgres."""
    (meters().hits if hit else meters().misses).labels(cache, layer).inc()


def waited(row: Any) -> None:
    """Record how long a submission waited for its first claim."""
    if row.verdict is None and row.attempts == 1:
        meters().queue_wait.labels(row.priority).observe(float(row.waited))


@contextmanager
def processing() -> Iterator[None]:
    """Time the work on one submission, and count it if it fails."""
    started = time.perf_counter()
    try:
        yield
    except Exception:
        meters().failed.inc()
        raise
    finally:
        meters().processing.observe(time.perf_counter() - started)


@contextmanager
def inference(pictures: int) -> Iterator[None]:
    """Time one batch of the network, in its own span."""
    started = time.perf_counter()
    with tracing.span("classify", pictures=pictures):
        yield
    meters().inference.observe(time.perf_counter() - started)
    meters().batch.observe(pictures)


def detected(
    detector: str, seconds: float, *, failed: str = "", flags: Collection[str] = ()
) -> None:
    """Count a call of a detector; ``failed`` is one of DETECTOR_FAILURES, ``flags`` are labels."""
    meters().detector_calls.labels(detector).inc()
    meters().detector_seconds.labels(detector).observe(seconds)
    if failed:
        meters().detector_failures.labels(detector, failed).inc()
    for label in flags:
        meters().detector_flags.labels(detector, label).inc()


def start() -> None:
    """Create the metrics, and sample the pool every few seconds if they are shared."""
    meters()
    if metric_files.folder() is not None:
        threading.Thread(target=_sample, name="metrics", daemon=True).start()


def _sample() -> None:
    while True:
        in_use, idle = connection.pool_use()
        meters().pool.labels("in_use").set(in_use)
        meters().pool.labels("idle").set(idle)
        time.sleep(SAMPLE_EVERY)
