"""How well scores tell bad from good: area under the curve and recall, with intervals. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
Values = NDArray[np.float64]
Statistic = Callable[[Values, Values], float]  # of the bad ones' scores and the good ones'


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval."""

    value: float
    low: float
    high: float


def area(bad: Values, good: Values) -> float:
    """The area under the ROC curve: how often a bad one scores above a good one; a tie is half."""
    ordered = np.sort(good)
    below = np.searchsorted(ordered, bad, "left")
    up_to = np.searchsorted(ordered, bad, "right")
    return float((below + up_to).mean() / 2 / len(good))


def recall_at(bad: Values, good: Values, false_alarms: float = 0.05) -> float:
    """The share of the bad above a threshold that at most this share of the good ones exceeds."""
    ordered = np.sort(good)[::-1]
    threshold = ordered[int(false_alarms * len(good))]
    return float((bad > threshold).mean())


def estimate(
    statistic: Statistic, bad: Sequence[float], good: Sequence[float], resamples: int = RESAMPLES
) -> Estimate:
    """The statistic, and the middle 95 % of it in resamples of both groups (bootstrap)."""
    chance = np.random.default_rng(1)
    ones, others = np.asarray(bad, float), np.asarray(good, float)
    drawn = [
        statistic(chance.choice(ones, len(ones)), chance.choice(others, len(others)))
        for _ in range(resamples)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(statistic(ones, others), float(low), float(high))


def share(count: int, of: int) -> Estimate:
    """A share with its 95 % interval (Wilson), which holds for small counts too."""
    if not of:
        return Estimate(0.0, 0.0, 1.0)
    z, p = 1.96, count / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Estimate(p, max(0.0, float(middle - half)), min(1.0, float(middle + half)))
