"""Calls one detector so that its failures stay its own: deadline, breaker, check, metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import PIL.Image

from models.circuit_breaker import CircuitBreaker
from tasks.detectors.base import (
    IMAGE,
    TEXT,
    Declaration,
    Detector,
    DetectorDown,
    DetectorError,
    Score,
    Subject,
    checked,
)
from tasks.detectors.lane import Lane
from tasks.observability import metrics

log = logging.getLogger("sluice.detectors")


@dataclass(frozen=True, slots=True)
class Answer:
    """The scores of one call, or why there are none: ``error`` is a sentence for an operator."""

    scores: tuple[Score, ...] = ()
    error: str = ""


class Guard:
    """A detector as the pipeline calls it.

    `detect` returns within the declared deadline and never raises: an error, a late answer or an
    invalid one becomes `Answer.error`. After each of these the circuit breaker asks the detector
    about an empty subject. If it cannot answer that either, calls fail at once until it can.

    The detector is loaded on its own thread at the first call, so slow loading makes calls late
    and holds nobody.
    """

    def __init__(
        self, declared: Declaration, load: Callable[[], Detector], flag_at: float = 0.5
    ) -> None:
        self.declared, self._load, self._flag_at = declared, load, flag_at
        self._detector: Detector | None = None
        self._lane = Lane(declared.name)
        self._breaker = CircuitBreaker(f"detector {declared.name}", self._probe)
        self._verifying = threading.Lock()

    @property
    def trouble(self) -> str:
        """Why calls fail at once; "" if the detector is asked."""
        return self._breaker.trouble

    def detect(self, subject: Subject) -> Answer:
        """Score a text or the views of a picture, within the deadline."""
        name, started = self.declared.name, time.perf_counter()
        try:
            if self._breaker.trouble:
                raise DetectorDown(f"{name} is not asked: {self._breaker.trouble}")
            scores = self._ask(subject)
        except DetectorError as error:
            metrics.detected(name, time.perf_counter() - started, failed=error.reason)
            self._suspect(error)
            return Answer(error=str(error))
        alarms = self.declared.alarms(scores, self._flag_at)
        labels = {each.label for each in alarms}
        metrics.detected(name, time.perf_counter() - started, flags=labels)
        return Answer(tuple(scores))

    def warm_up(self) -> str:
        """Load the detector and ask it once, however long that takes; returns what is wrong."""
        try:
            self._lane.call(lambda: self._work(self._empty()), threading.TIMEOUT_MAX)
        except DetectorError as error:
            return str(error)
        return ""

    def _ask(self, subject: Subject) -> list[Score]:
        answer: list[Score] = self._lane.call(lambda: self._work(subject), self.declared.deadline)
        return answer

    def _work(self, subject: Subject) -> list[Score]:
        """On the detector's thread. A generator does its work here, within the deadline."""
        try:
            if self._detector is None:
                self._detector = self._load()
            return checked(self.declared, self._detector.detect(subject))
        except DetectorError:
            raise
        except BaseException as error:  # an exit too: it must not reach the worker
            if not self._breaker.trouble:  # then it is asked twice a second
                log.exception("detector %s failed", self.declared.name)
            raise DetectorError(f"{self.declared.name} failed: {_named(error)}") from error

    def _probe(self) -> str:
        if self._lane.stuck:
            return "has not ended an earlier call"
        try:
            self._ask(self._empty())
        except DetectorError as error:
            return f"cannot be asked: {error}"
        return ""

    def _empty(self) -> Subject:
        return "" if TEXT in self.declared.inputs else [PIL.Image.new("RGB", (256, 256))]

    def _suspect(self, error: DetectorError) -> None:
        """Have the breaker ask the detector again, on a thread: the caller's time is used up."""
        if self._breaker.trouble or not self._verifying.acquire(blocking=False):
            return
        log.warning("%s", error)
        name = f"suspect {self.declared.name}"
        threading.Thread(target=self._verify, name=name, daemon=True).start()

    def _verify(self) -> None:
        try:
            self._breaker.verify()
        finally:
            self._verifying.release()


def takes(declared: Declaration, subject: Subject) -> bool:
    """Whether the detector takes a subject of this kind."""
    return (TEXT if isinstance(subject, str) else IMAGE) in declared.inputs


def _named(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
