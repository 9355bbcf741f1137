"""How long a job that is enqueued now will wait. Pure."""

from __future__ import annotations

UNKNOWN_RATE = 10.0  # jobs a second of one worker before it has measured itself (seed 000)


def estimate(ahead: int, rates: list[float]) -> float:
    """Seconds until a job with ``ahead`` jobs before it is decided.

    ``rates`` are the jobs a second that each running worker does while it is busy; 0 stands for
    one that has not worked yet. Without workers it is what one would take.
    """
    known = [rate for rate in rates if rate > 0]
    typical = sum(known) / len(known) if known else UNKNOWN_RATE
    total = sum(rate or typical for rate in rates) or typical
    return (ahead + 1) / total
