"""What a replay found, in the words of its panel: shares with 95 % intervals, and minutes a day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from models.policies.replay import Quality, Replay
from models.verdict import APPROVED, REJECTED, REVIEW

SECONDS_PER_FLAG = 5.0  # of a moderator's time, for the estimate of minutes a day
Z = 1.96  # of the normal distribution, for 95 %
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure for both policies."""

    name: str
    before: str
    after: str


def words(found: Replay) -> list[Figure]:
    """The figures of the panel, in their order."""
    pairs: tuple[tuple[str, Callable[[Quality], str]], ...] = (
        ("Approved", _share_of(found.total, APPROVED)),
        ("To people", _share_of(found.total, REVIEW)),
        ("Rejected", _share_of(found.total, REJECTED)),
        ("Minutes of review a day", lambda quality: _minutes(quality, found)),
        ("Of its flags, people rejected", lambda quality: interval(*quality.flagged)),
        ("Of what people rejected, it approves", lambda quality: interval(*quality.missed)),
    )
    return [Figure(name, of(found.before), of(found.after)) for name, of in pairs]


def _share_of(total: int, verdict: str) -> Callable[[Quality], str]:
    def of(quality: Quality) -> str:
        number = quality.verdicts[verdict]
        share = f" ({100 * number / total:.1f} %)" if total else ""
        return f"{number:,}{share}"

    return of


def _minutes(quality: Quality, found: Replay) -> str:
    if found.seconds < 3600:
        return "–"  # too short a time to say
    flags = quality.verdicts[REVIEW] * DAY / found.seconds
    return f"{flags * SECONDS_PER_FLAG / 60:,.0f}"


def interval(hits: int, total: int) -> str:
    """A share with Wilson's 95 % interval: ``40 % (31 to 50), 42 of 105``."""
    if not total:
        return "no decisions"
    share, z2 = hits / total, Z * Z / total
    middle = (share + z2 / 2) / (1 + z2)
    half = Z * sqrt(share * (1 - share) / total + z2 / (4 * total)) / (1 + z2)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return f"{100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f}), {hits:,} of {total:,}"
