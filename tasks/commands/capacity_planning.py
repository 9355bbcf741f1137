"""Capacity planning: the machines that a site needs, and the effect of a burst. Pure.

Everything is computed from a few rates. A running stack measures its own; ``ASSUMED`` is the
default.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from models.capacity.mode import lasts

DAY, MONTH = 86_400, 30
BUSY = 0.8  # target utilisation of a worker or a core at the peak
WORKERS_SHARE = 0.35  # of the cores in a burst, as workers have a lower priority than the web
MB, GB = 1e6, 1e9


@dataclass(frozen=True, slots=True)
class Rates:
    """Costs per upload and per process, and their source.

    ``text`` and ``image`` are worker seconds (one core) for a submission's text and for each
    picture; ``intake`` is core seconds to accept one upload. ``row`` and ``row_image`` are bytes of
    the database including indexes, ``stub`` the bytes that remain after a purge; ``thumbnail`` is
    bytes of media. ``worker`` and ``base`` are bytes of memory, of one worker and of everything
    else. ``measured`` says for the measured figures what they were measured on; ``assumed`` is the
    source of the others.
    """

    text: float = 0.004
    image: float = 0.019
    intake: float = 0.004
    row: float = 2_600
    row_image: float = 900
    stub: float = 900
    thumbnail: float = 6_000
    worker: float = 98 * MB
    base: float = 190 * MB
    measured: dict[str, str] = field(default_factory=dict)
    assumed: str = "after scripts/bench of 2026-11-21 on 2 cores"

    def job(self, images: float) -> float:
        """Worker seconds for one submission with this number of pictures."""
        return self.text + self.image * images


# The bench measured 43 pictures per second and worker, 496 uploads per second on two cores, 98 MB
# per worker and 484 MB idle. The split into text and picture and a row's bytes are estimates.
# Of 20,000 rows that were purged and compacted, 0.8 kB per row remained.
ASSUMED = Rates()


@dataclass(frozen=True, slots=True)
class Demand:
    """A site's uploads: ``peak`` is the ratio of the busiest hour to the mean hour."""

    uploads_per_day: float
    peak: float = 3.0
    images: float = 1.0
    image_kb: float = 100.0
    retention_days: int = 30

    @property
    def mean(self) -> float:
        """Mean uploads per second."""
        return self.uploads_per_day / DAY

    @property
    def busiest(self) -> float:
        """Uploads per second in the busiest hour."""
        return self.mean * self.peak


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices per month, in any currency. The defaults are examples, not offers."""

    core: float = 8.0
    memory_gb: float = 2.0
    database_gb: float = 0.12
    media_gb: float = 0.02
    traffic_gb: float = 0.01


@dataclass(frozen=True, slots=True)
class Needs:
    """The resources for a demand; sizes in GB after ``retention_days``, traffic in Mbit/s and GB.

    ``stubs_gb`` is the database growth per month after that: verdicts and decisions are kept.

    ``workers`` keep up with the busiest hour. ``least_workers`` keep up with the mean load: in the
    busiest hour fast rules decide, and the review debt is worked off by night.
    """

    workers: int
    least_workers: int
    web_instances: int
    cores: int
    machines: int
    memory_gb: float
    database_gb: float
    stubs_gb: float
    media_gb: float
    peak_mbit: float
    traffic_gb: float
    cost: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """The total cost per month."""
        return sum(self.cost.values())


def plan(demand: Demand, rates: Rates, prices: Prices, *, cores_a_machine: int = 8) -> Needs:
    """The resources for a demand."""
    job = rates.job(demand.images)
    workers = math.ceil(demand.busiest * job / BUSY)
    web = math.ceil(demand.busiest * rates.intake / BUSY)  # a web instance is one core's work
    cores = max(2, workers + web)
    kept = demand.uploads_per_day * demand.retention_days
    database = kept * (rates.row + rates.row_image * demand.images) / GB
    media = kept * demand.images * (demand.image_kb * 1e3 + rates.thumbnail) / GB
    upload = demand.images * demand.image_kb * 1e3 + 2_000
    # A database is fast only while its newest day fits in memory.
    newest = min(database, database / max(demand.retention_days, 1))
    memory = (rates.base * max(1, web // 2) + rates.worker * workers) / GB + newest
    traffic = demand.uploads_per_day * MONTH * upload / GB
    needs = Needs(
        workers=max(1, workers),
        least_workers=max(1, math.ceil(demand.mean * job / BUSY)),
        web_instances=max(1, web),
        cores=cores,
        machines=math.ceil(cores / cores_a_machine),
        memory_gb=memory,
        database_gb=database,
        stubs_gb=demand.uploads_per_day * MONTH * rates.stub / GB,
        media_gb=media,
        peak_mbit=demand.busiest * upload * 8 / 1e6,
        traffic_gb=traffic,
    )
    needs.cost.update(_cost(needs, prices))
    return needs


def _cost(needs: Needs, prices: Prices) -> dict[str, float]:
    return {
        "cores": needs.cores * prices.core,
        "memory": needs.memory_gb * prices.memory_gb,
        "database": needs.database_gb * prices.database_gb,
        "media": needs.media_gb * prices.media_gb,
        "traffic": needs.traffic_gb * prices.traffic_gb,
    }


@dataclass(frozen=True, slots=True)
class Flood:
    """A burst of ``uploads``, accepted at ``intake`` per second.

    All workers together process ``during`` jobs per second while it lasts, as they share the cores
    with the web, and ``after`` per second when it is over.
    """

    uploads: int
    intake: float
    during: float
    after: float


def flood(uploads: int, cores: float, workers: int, rates: Rates, images: float) -> Flood:
    """A burst over enough connections to keep all cores busy."""
    job = rates.job(images)
    most = min(workers, cores) / job
    during = min(most, cores * WORKERS_SHARE / job)
    return Flood(uploads, cores * (1 - WORKERS_SHARE) / rates.intake, during, most)


@dataclass(frozen=True, slots=True)
class BurstForecast:
    """The effect of a burst: peak depth and debt, and times in seconds since its start."""

    depth: float
    debt: float
    answered: float
    drained: float
    checked: float
    worst_wait: float


@dataclass(frozen=True, slots=True)
class _Moment:
    """Totals at the time ``at``: jobs enqueued and done, waiting jobs and review debt."""

    at: float
    enqueued: float
    done: float
    depth: float
    debt: float
    flooding: bool


def forecast(flood: Flood, fast_from: int, step: float = 0.1) -> BurstForecast:
    """Simulate a burst; fast-track begins at the depth ``fast_from``.

    Raises ValueError if nothing is accepted or processed, as the burst would never end.
    """
    if flood.intake <= 0 or flood.after <= 0:
        raise ValueError("a burst ends only if uploads are accepted and processed")
    moments = list(_course(flood, fast_from, step))
    queued = [moment.at for moment in moments if moment.flooding or moment.depth > 0]
    return BurstForecast(
        depth=max(moment.depth for moment in moments),
        debt=max(moment.debt for moment in moments),
        answered=flood.uploads / flood.intake,
        drained=max(queued, default=0.0) + step,
        checked=moments[-1].at + step,
        worst_wait=_worst_wait(moments),
    )


def _course(flood: Flood, fast_from: int, step: float) -> Iterator[_Moment]:
    depth = debt = enqueued = out = 0.0
    number, fast, left = 0, False, float(flood.uploads)
    while left > 0 or depth > 0 or debt > 0:
        flooding = left > 0
        came = min(left, flood.intake * step)
        left -= came
        growth = flood.intake - flood.during if flooding else 0.0
        fast = lasts(depth, fast_from, growth, fast)
        if fast:
            debt += came
        else:
            depth, enqueued = depth + came, enqueued + came
        pace = (flood.during if flooding else flood.after) * step
        done = min(depth, pace)
        depth, out = depth - done, out + done
        debt -= min(debt, pace - done)
        yield _Moment(number * step, enqueued, out, depth, debt, flooding)
        number += 1


def _worst_wait(moments: list[_Moment]) -> float:
    """The longest time from enqueuing a job until that many jobs are done."""
    worst, later = 0.0, iter(moments)
    reached = next(later)
    for before, moment in pairwise(moments):
        if moment.enqueued <= before.enqueued:
            continue
        while reached.done < moment.enqueued - 1e-6:
            following = next(later, None)
            if following is None:
                break
            reached = following
        worst = max(worst, reached.at - moment.at)
    return worst
