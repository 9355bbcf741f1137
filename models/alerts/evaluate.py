"""When an alert begins and when it ends, from readings over time. Pure.

A rule speaks while its reading is above its bound. Its alert begins when that has held for
``ALERT_AFTER`` seconds, and ends when the reading has been below nine tenths of the bound for as
long, so that it does not flap.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from models.alerts.rules import RULES, Rule
from models.settings import Settings


@dataclass(frozen=True, slots=True)
class Readings:
    """What the rules look at, each by its rule's name.

    None is what could not be read: it begins nothing and ends nothing. Shares are in percent,
    times in seconds; ``why`` are words for a sentence, by rule.
    """

    database: int | None = None
    redis: int | None = None
    workers: int | None = None
    model: int | None = None
    memory: float | None = None
    disk: float | None = None
    queue_depth: float | None = None
    database_connections: float | None = None
    redis_connections: float | None = None
    error_rate: float | None = None
    answer_seconds: float | None = None
    review_debt_age: float | None = None
    oldest_flag_age: float | None = None
    dead_deliveries: int | None = None
    why: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """That a rule speaks: its reading above its bound, in a sentence."""

    rule: Rule
    reading: float
    bound: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new: alerts to begin, readings of those that go on, names of those to end."""

    began: tuple[Alarm, ...] = ()
    goes_on: tuple[Alarm, ...] = ()
    ended: tuple[str, ...] = ()


class Watch:
    """Remembers since when each rule has wanted to change, and lets it after a while."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._since: dict[str, float] = {}

    def look(self, readings: Readings, open_: Collection[str], now: float) -> Changes:
        """What changes at these readings; ``open_`` are the rules that speak already.

        ``now`` is any clock in seconds that only goes forward.
        """
        began: list[Alarm] = []
        goes_on: list[Alarm] = []
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
                goes_on.append(alarm)
            elif settled:
                began.append(alarm)
        return Changes(tuple(began), tuple(goes_on), tuple(ended))

    def _alarm(self, rule: Rule, readings: Readings) -> Alarm | None:
        """What the rule says if it speaks; None where it cannot be read."""
        reading = getattr(readings, rule.name)
        if reading is None:
            return None
        why = dict(readings.why).get(rule.name, "")
        return Alarm(rule, float(reading), rule.bound(self._settings), rule.say(reading, why))

    def _settled(self, name: str, changing: bool, now: float) -> bool:
        """Whether a rule has wanted to change for long enough."""
        if not changing:
            self._since.pop(name, None)
            return False
        if now - self._since.setdefault(name, now) < self._settings.alert_after:
            return False
        del self._since[name]
        return True
