"""Decides when an alert starts and ends, from readings over time. Pure.

An alert starts when its reading has been above the threshold for ``ALERT_AFTER`` seconds. It ends
when the reading has been below 90 % of the threshold for the same time, so that it does not flap.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from models.alerts.rules import RULES, AlertRule
from models.settings import Settings


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings, by rule name.

    None means that the value could not be read: it starts and ends no alert. Shares are in percent,
    times in seconds; ``why`` are details for a rule's sentence.
    """

    database: int | None = None
    redis: int | None = None
    workers: int | None = None
    model: int | None = None
    memory: float | None = None
    disk: float | None = None
    storage: int | None = None
    queue_depth: float | None = None
    database_connections: float | None = None
    redis_connections: float | None = None
    error_rate: float | None = None
    answer_seconds: float | None = None
    rules: int | None = None
    review_debt_age: float | None = None
    oldest_flag_age: float | None = None
    dead_deliveries: int | None = None
    why: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule with its reading, its threshold and the sentence for them."""

    rule: AlertRule
    reading: float
    bound: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Alerts to start, new readings of open alerts, and names of the rules whose alerts end."""

    began: tuple[Alarm, ...] = ()
    continued: tuple[Alarm, ...] = ()
    ended: tuple[str, ...] = ()


class Watch:
    """Tracks for how long each rule's state has differed, and changes it after ``ALERT_AFTER``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._since: dict[str, float] = {}

    def look(self, readings: Readings, open_: Collection[str], now: float) -> Changes:
        """The changes for these readings; ``open_`` are the rules with an open alert.

        ``now`` is a monotonic time in seconds.
        """
        began: list[Alarm] = []
        continued: list[Alarm] = []
        ended: list[str] = []
        for rule in RULES:
            is_open = rule.name in open_
            if rule.is_off(self._settings):
                ended += [rule.name] * is_open
                continue
            alarm = self._alarm(rule, readings)
            if alarm is None:
                continue
            holds = rule.holds(alarm.reading, alarm.bound, open_=is_open)
            settled = self._settled(rule.name, holds != is_open, now)
            if is_open and settled:
                ended.append(rule.name)
            elif is_open and holds:
                continued.append(alarm)
            elif settled:
                began.append(alarm)
        return Changes(tuple(began), tuple(continued), tuple(ended))

    def _alarm(self, rule: AlertRule, readings: Readings) -> Alarm | None:
        """The rule's alarm for its reading; None if there is no reading."""
        reading = getattr(readings, rule.name)
        if reading is None:
            return None
        why = dict(readings.why).get(rule.name, "")
        return Alarm(rule, float(reading), rule.bound(self._settings), rule.say(reading, why))

    def _settled(self, name: str, changing: bool, now: float) -> bool:
        """Whether a rule's state has differed for ``ALERT_AFTER`` seconds."""
        if not changing:
            self._since.pop(name, None)
            return False
        if now - self._since.setdefault(name, now) < self._settings.alert_after:
            return False
        del self._since[name]
        return True
