"""The storage of the queue in Redis: two lanes, each shared between clients by `fair_order`."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import Any

from huey.storage import RedisStorage

from models.capacity.fair_share import Flow
from models.database import connection
from tasks.queue import fair_order, redis_connection

PRIORITY, NORMAL = "priority", "normal"
DEBT_RANK, NORMAL_RANK, SYNC_RANK, PAID_RANK = 0, 1, 2, 10
FAIRNESS = 4  # every fourth job is taken from the normal lane first, so that it never starves
SHARE = 4  # a batch takes at most one in this many of the queued jobs
WAIT_WHILE_DOWN = 0.2  # seconds until a worker looks again whether Redis is back
LEFT_PAUSE = 0.01  # seconds until a worker that may not take a heavy job asks again


class WorkCharges:
    """The work by lane and flow that was not reported yet; several threads may add.

    It is reported with the next call to the queue, so that reporting costs no round trip.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], tuple[int, float, float]] = {}

    def add(self, lane: str, flow: str, seconds: float, jobs: int = 1) -> None:
        """Add ``jobs`` that took ``seconds`` of decoding, of the network and of other work."""
        with self._lock:
            before = self._open.get((lane, flow), (0, 0.0, 0.0))
            longest = max(before[2], seconds / jobs)
            self._open[lane, flow] = before[0] + jobs, before[1] + seconds, longest

    def take(self) -> str:
        """All of them as ``LANE FLOW JOBS SECONDS LONGEST;`` each, and begin anew."""
        with self._lock:
            charges, self._open = self._open, {}
        return "".join(
            f"{lane} {flow} {jobs} {seconds:.6f} {longest:.6f};"
            for (lane, flow), (jobs, seconds, longest) in charges.items()
        )


class LaneStorage(RedisStorage):
    """Two lanes, ``priority`` and ``normal``; `fair_order` has the order of each."""

    priority = True

    def __init__(self, *args: Any, debt_share: float = 0.2, **options: Any) -> None:
        super().__init__(*args, **options)
        self._debt_share = min(max(debt_share, 0.001), 0.999)
        self._charges = WorkCharges()
        self.keys = {lane: f"{self.queue_key}.{lane}" for lane in (PRIORITY, NORMAL)}
        name = os.environ.get("PROCESS_NAME", str(os.getpid()))
        self.worker = f"{socket.gethostname()}/{os.environ.get('SLUICE_HOME', '')}/{name}"
        self._shared = f"{self.queue_key}.fair"
        self._lane = self.keys[NORMAL]
        self._only = [PRIORITY] if os.environ.get("SLUICE_LANES", "") == PRIORITY else []
        self._order = self._orders()
        self._scripts = {
            name: self.conn.register_script(getattr(fair_order, name))
            for name in ("ADD", "NEXT", "TAKEN", "SEVERAL", "URGENT", "FLOWS")
        }

    def _orders(self) -> Iterator[list[str]]:
        if self._only:
            return cycle([[self.keys[PRIORITY]]])
        first, second = self.keys[PRIORITY], self.keys[NORMAL]
        return cycle([[first, second]] * (FAIRNESS - 1) + [[second, first]])

    def _call(self, script: str, lanes: Iterable[str], *args: Any) -> Any:
        keys = [self._shared, *lanes]
        return self._scripts[script](keys=keys, args=[self._debt_share, *args])

    def lane(self, rank: int) -> str:
        """The key of the lane for jobs of this rank."""
        return self.keys[PRIORITY if rank >= PAID_RANK else NORMAL]

    def add(self, jobs: Iterable[tuple[bytes, int, str, int]]) -> list[bool]:
        """Add jobs (bytes, rank, flow, weight) that are not queued; says which ones are new."""
        lanes = list(self.keys.values())
        arguments: list[Any] = []
        for data, rank, flow, weight in jobs:
            arguments += (lanes.index(self.lane(rank)), data, _score(rank), flow, weight)
        return [bool(new) for new in self._call("ADD", lanes, *arguments)] if arguments else []

    def enqueue(self, data: bytes, priority: int | None = None) -> None:
        """Add a job that belongs to no client: a person waits for it, or nobody (rank 0)."""
        rank = priority or DEBT_RANK
        flow = fair_order.DEBT if rank == DEBT_RANK else fair_order.CONSOLE
        self.add([(data, rank, flow, fair_order.CONSOLE_WEIGHT)])

    def dequeue(self) -> bytes | None:
        """The next job; None if there was none for ``read_timeout`` seconds.

        While Redis or PostgreSQL does not respond no job is taken: it could only fail.
        """
        if redis_connection.trouble() or connection.trouble():
            time.sleep(WAIT_WHILE_DOWN)
            return None
        lanes = next(self._order)
        only = self._only[0] if self._only else ""
        result = self._call("NEXT", lanes, self.worker, only, self._charges.take())
        if len(result) == 2:
            self._lane = lanes[int(result[0]) - 1]
            return bytes(result[1])
        if result:
            time.sleep(LEFT_PAUSE)
            return None
        if self._only and (job := self._call("URGENT", [self.keys[NORMAL]], self.worker, "")):
            self._lane = lanes[0]  # more of the normal lane is not for this worker
            return bytes(job)
        wakes = [f"{self._shared}:urgent"] if self._only else []
        popped: Any = self.conn.bzpopmin([*lanes, *wakes], timeout=self.read_timeout)
        if not popped or popped[0].decode() in wakes:
            return None
        lane, data, score = popped[0].decode(), popped[1], popped[2]
        if not self._call("TAKEN", [lane], self.worker, only, data, score):
            time.sleep(LEFT_PAUSE)
            return None
        self._lane = lane
        return bytes(data)

    def take_more(self, task: str, most: int) -> list[bytes]:
        """Up to ``most`` further jobs of this task, from the lane that the last one came from.

        They are the next ones there, at most a quarter of the lane, so that other workers get some,
        and no more than a worker does in `fair_order.BUDGET` seconds.
        """
        return self._several([self._lane], task, most)

    def take_next(self, task: str, most: int) -> list[bytes]:
        """The same from the lane whose turn it is; empty if it has fewer than `SHARE` jobs."""
        return self._several(next(self._order), task, most)

    def _several(self, lanes: list[str], task: str, most: int) -> list[bytes]:
        charges = self._charges.take()
        taken: list[bytes] = self._call("SEVERAL", lanes, self.worker, charges, task, most, SHARE)
        return taken

    def take_urgent(self, task: str, flows: Iterable[str]) -> bytes | None:
        """A job of this task that somebody waits for, of a client behind its share.

        ``flows`` are those that the worker has jobs of; a job of theirs is not urgent.
        """
        lanes = self.keys.values() if not self._only else [self.keys[PRIORITY]]
        job: bytes | None = self._call("URGENT", lanes, self.worker, f'"{task}"', *flows)
        return job

    def charge(self, rank: int, flow: str, seconds: float) -> None:
        """Charge a flow one job that took ``seconds``; 0 if it was not worked on."""
        self._charges.add(self.lane(rank), flow, seconds)

    def flows(self, lane: str) -> list[Flow]:
        """Each flow that has jobs in a lane (``priority`` or ``normal``)."""
        return [
            Flow(name.decode(), jobs, float(weight), float(cost), float(lead))
            for name, jobs, weight, cost, lead in self._call("FLOWS", [self.keys[lane]])
        ]

    def place(self, data: bytes, rank: int, flow: str) -> int | None:
        """How many jobs are before this one in its flow; None if it is not queued."""
        number: Any = self.conn.zrank(f"{self.lane(rank)}:of:{flow}", data)
        return number

    def queued_debt(self) -> int:
        """How many jobs of the review debt are queued."""
        queued: Any = self.conn.zcard(f"{self.keys[NORMAL]}:of:{fair_order.DEBT}")
        return int(queued)

    def queue_size(self) -> int:
        return sum(self.sizes().values())

    def sizes(self) -> dict[str, int]:
        """Queued jobs by lane, in one round trip."""
        pipe = self.conn.pipeline(transaction=False)
        for key in self.keys.values():
            pipe.zcard(key)
        return dict(zip(self.keys, pipe.execute(), strict=True))

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        stop = limit - 1 if limit else -1
        return [item for key in self.keys.values() for item in self.conn.zrange(key, 0, stop)]

    def flush_queue(self) -> None:
        """Delete all jobs, and what is known of their order."""
        found = [*self.conn.scan_iter(match=f"{self.queue_key}.*", count=1000)]
        if found:
            self.conn.delete(*found)


def _score(rank: int) -> int:
    return (100 - rank) * fair_order.RANK_SPAN + time.time_ns() // 1_000_000
