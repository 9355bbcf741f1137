"""CPU time of processes: the cost of a request, independent of other load on the machine."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping

import psutil

Spent = dict[str, float]


def spent(pids: Mapping[str, list[int]]) -> Spent:
    """CPU seconds of these processes by name, including running and ended children."""
    seconds: Counter[str] = Counter()
    for name, members in pids.items():
        for pid in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                leader = psutil.Process(pid)
                for process in [leader, *leader.children(recursive=True)]:
                    seconds[name] += _seconds(process)
    return dict(seconds)


def per_request(pids: Mapping[str, list[int]], count: int, work: Callable[[], object]) -> Spent:
    """CPU milliseconds per request for each process, over work that makes ``count`` requests."""
    before = spent(pids)
    work()
    after = spent(pids)
    return {name: 1000 * (after[name] - before.get(name, 0.0)) / count for name in after}


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
