"""How long a job will wait; pure."""

from __future__ import annotations

import pytest

from models.wait import UNKNOWN_RATE, estimate


@pytest.mark.parametrize(
    ("ahead", "rates", "seconds"),
    [
        (99, [10.0, 10.0], 5.0),
        (0, [20.0], 0.05),
        (99, [], 100 / UNKNOWN_RATE),
        (99, [0.0, 0.0], 100 / (2 * UNKNOWN_RATE)),
        (29, [10.0, 0.0], 1.5),  # one that has not worked yet counts as a typical one
    ],
)
def test_estimate(ahead: int, rates: list[float], seconds: float) -> None:
    assert estimate(ahead, rates) == pytest.approx(seconds)
