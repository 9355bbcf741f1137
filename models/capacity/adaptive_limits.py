"""Pressure: whose limit is lowered while the server is overloaded, and to what. Pure.

One cap holds for every client (max-min fairness): the heaviest are lowered first, and a light one
is touched only when all that are heavier have come down to its own rate. The cap moves as TCP's
window does (additive increase, multiplicative decrease); while the load is falling already, what
was done is enough, and between the bound and ``CALM`` of it nothing moves (hysteresis).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from models.settings import Settings

LOWER = 0.7  # the cap is lowered to this share of itself
STEPS = 20  # the cap rises in this many steps back to where it began
CALM = 0.8  # share of the bounds below which the cap rises
FALLING = 0.98  # a load below this share of the last round's is falling


@dataclass(frozen=True, slots=True)
class Signals:
    """How overloaded the server is; what is not known is nothing.

    ``wait``: seconds until a job that is enqueued now is decided. ``debt``: seconds that the review
    debt takes to be worked off. ``errors``: percent of answers or jobs that fail.
    """

    wait: float = 0.0
    debt: float = 0.0
    errors: float = 0.0


@dataclass(frozen=True, slots=True)
class Lowered:
    """A client whose limit is lowered: from ``before`` uploads a minute, at worst to ``lowest``.

    ``since`` is in seconds of the epoch; ``why`` is a few words.
    """

    client_id: int
    before: int
    lowest: int
    since: float
    why: str


@dataclass(frozen=True, slots=True)
class State:
    """What one round leaves to the next: the cap in uploads a minute, where it began, the load."""

    cap: float | None = None
    start: float = 0.0
    level: float = 0.0
    lowered: tuple[Lowered, ...] = ()

    @property
    def limit(self) -> int:
        """The uploads a minute that each lowered client may make."""
        return int(self.cap or 0)


def measure(signals: Signals, settings: Settings) -> tuple[float, str]:
    """The load as a share of its bound, 1 being the bound itself, and in words what is highest."""
    bounds = (
        (signals.wait, settings.adaptive_max_wait, "the wait is {:,.0f} s, wanted at most {:,g} s"),
        (
            signals.debt,
            settings.adaptive_max_debt,
            "unchecked uploads take {:,.0f} s to check, wanted at most {:,g} s",
        ),
        (signals.errors, settings.adaptive_max_error_rate, "{:.1f} % fail, wanted at most {:g} %"),
    )
    shares = [(now / bound, text.format(now, bound)) for now, bound, text in bounds if bound]
    return max(shares, default=(0.0, ""))


def decide(
    before: State, signals: Signals, rates: Mapping[int, float], now: float, settings: Settings
) -> State:
    """The state after a round; ``rates`` are the uploads a minute of each client lately."""
    level, why = measure(signals, settings)
    cap, start = before.cap, before.start
    heaviest = max(rates.values(), default=0.0)
    if level >= 1 and level >= before.level * FALLING:
        cap = _lowered(cap, heaviest, settings.adaptive_min_uploads_per_minute)
        start = start or heaviest
    elif level < CALM and cap is not None:
        cap += start / STEPS
    if cap is None:
        return State(level=level)
    held = tuple(
        replace(one, lowest=min(one.lowest, int(cap))) for one in before.lowered if one.before > cap
    )
    if level >= CALM:
        held += _newly(held, rates, cap, now, why, settings)
    return State(cap, start, level, held) if held else State(level=level)


def _lowered(cap: float | None, heaviest: float, floor: int) -> float | None:
    """A cap below what the heaviest client does now, never under the floor."""
    if heaviest <= floor:
        return cap
    reached = heaviest if cap is None else min(cap, heaviest)
    return max(float(floor), reached * LOWER)


def _newly(
    held: tuple[Lowered, ...],
    rates: Mapping[int, float],
    cap: float,
    now: float,
    why: str,
    settings: Settings,
) -> tuple[Lowered, ...]:
    """Those above the cap that were not lowered before; no further than their own limit goes."""
    known = {one.client_id for one in held}
    most = settings.max_uploads_per_minute_per_client or float("inf")
    return tuple(
        Lowered(client_id, int(min(rate, most)), int(cap), now, why)
        for client_id, rate in sorted(rates.items(), key=lambda item: -item[1])
        if client_id not in known and min(rate, most) > cap
    )
