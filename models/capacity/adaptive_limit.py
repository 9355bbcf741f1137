"""The adaptive limit: which clients are limited while the server is overloaded, and to what. Pure.

One cap holds for every client (max-min fairness): the heaviest clients are limited first, and a
lighter client is limited only when the cap has come down to its own rate. The cap moves like TCP's
window (additive increase, multiplicative decrease). It stays as it is while the load falls, and
while the load is between ``CALM`` of its bound and the bound (hysteresis).

A mode comes first: what ``async`` or ``fast_track`` can answer is not refused. The wait and the
review debt count only while the last mode is in use (``mode.is_last``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from models.settings import Settings

WAIT, DEBT, ERRORS = "wait", "debt", "errors"  # the signals
LOWER = 0.7  # the cap is lowered to this share of itself
STEPS = 20  # the cap rises in this many steps back to where it began
CALM = 0.8  # share of the bounds below which the cap rises
FALLING = 0.98  # a load below this share of the last round's load is falling


@dataclass(frozen=True, slots=True)
class Signals:
    """How overloaded the server is; an unknown signal is 0.

    ``wait``: seconds until a job that is enqueued now is decided; 0 while a mode is left that
    answers without the queue. ``debt``: seconds that it takes to work off the review debt; 0 unless
    the last mode is in use. ``errors``: percent of responses or jobs that fail.
    """

    wait: float = 0.0
    debt: float = 0.0
    errors: float = 0.0


@dataclass(frozen=True, slots=True)
class AdaptiveLimit:
    """A limited client: ``before`` and ``lowest`` are its old and its lowest uploads per minute.

    ``since`` is in seconds of the epoch; ``reason`` is a few words; ``signal`` is what was
    too high.
    """

    client_id: int
    before: int
    lowest: int
    since: float
    reason: str
    signal: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What one round passes to the next.

    ``cap`` is in uploads per minute, ``start`` is where it began, ``level`` is the load as a share
    of its bound.
    """

    cap: float | None = None
    start: float = 0.0
    level: float = 0.0
    limits: tuple[AdaptiveLimit, ...] = ()

    @property
    def uploads_per_minute(self) -> int:
        """The limit of each limited client."""
        return int(self.cap or 0)


def measure(signals: Signals, settings: Settings) -> tuple[float, str, str]:
    """The highest load as a share of its bound (1 is the bound itself), its reason, its signal."""
    bounds = (
        (
            WAIT,
            signals.wait,
            settings.adaptive_max_wait,
            "the wait is {:,.0f} s, the maximum is {:,g} s",
        ),
        (
            DEBT,
            signals.debt,
            settings.adaptive_max_debt,
            "unchecked uploads take {:,.0f} s to check, the maximum is {:,g} s",
        ),
        (
            ERRORS,
            signals.errors,
            settings.adaptive_max_error_rate,
            "{:.1f} % of responses or jobs fail, the maximum is {:g} %",
        ),
    )
    shares = [
        (now / bound, text.format(now, bound), signal)
        for signal, now, bound, text in bounds
        if bound
    ]
    return max(shares, default=(0.0, "", ""))


def decide(
    before: State, signals: Signals, rates: Mapping[int, float], now: float, settings: Settings
) -> State:
    """The state after a round; ``rates`` are each client's recent uploads per minute."""
    level, reason, signal = measure(signals, settings)
    cap, start = before.cap, before.start
    heaviest = max(rates.values(), default=0.0)
    if level >= 1 and level >= before.level * FALLING:
        cap = _lower(cap, heaviest, settings.adaptive_min_uploads_per_minute)
        start = start or heaviest
    elif level < CALM and cap is not None:
        cap += start / STEPS
    if cap is None:
        return State(level=level)
    limits = tuple(
        replace(limit, lowest=min(limit.lowest, int(cap)))
        for limit in before.limits
        if limit.before > cap
    )
    if level >= CALM:
        limits += tuple(
            AdaptiveLimit(client_id, before, int(cap), now, reason, signal)
            for client_id, before in _newly_limited(limits, rates, cap, settings)
        )
    return State(cap, start, level, limits) if limits else State(level=level)


def _lower(cap: float | None, heaviest: float, floor: int) -> float | None:
    """A cap below the rate of the heaviest client, never below the floor."""
    if heaviest <= floor:
        return cap
    reached = heaviest if cap is None else min(cap, heaviest)
    return max(float(floor), reached * LOWER)


def _newly_limited(
    limits: tuple[AdaptiveLimit, ...], rates: Mapping[int, float], cap: float, settings: Settings
) -> Iterator[tuple[int, int]]:
    """The clients above the cap that are not limited yet, with their uploads per minute.

    These are at most the client's own limit.
    """
    limited = {limit.client_id for limit in limits}
    most = settings.max_uploads_per_minute_per_client or float("inf")
    for client_id, rate in sorted(rates.items(), key=lambda item: -item[1]):
        if client_id not in limited and min(rate, most) > cap:
            yield client_id, int(min(rate, most))
