"""``scripts/plan``: the machines that a number of uploads per day needs, by measured rates."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from statistics import fmean
from typing import Any

import peewee

from models.database.connection import connect, connection
from models.errors import SluiceError
from models.settings import Settings, use_settings
from models.statistics import storage_size
from tasks.commands.capacity_planning import (
    ASSUMED,
    BurstForecast,
    Demand,
    Needs,
    Prices,
    Rates,
    flood,
    forecast,
    plan,
)
from tasks.load import snapshot
from tasks.stack.console import end_with_reader, one_line_errors
from tasks.stack.steps import fail

USAGE_ERROR = 2  # exit code of an invalid option, as of argparse
FEWEST = 1000  # submissions or pictures; with fewer the bytes per row are unreliable
NAME_WIDTH, WIDTH = 10, 110  # columns of the output
PRICES = [price.name for price in fields(Prices)]


def main() -> None:
    """Print the plan."""
    options = _options()
    demand = Demand(
        options.uploads_per_day,
        options.peak,
        options.images,
        options.image_kb,
        options.retention_days,
    )
    prices = Prices(**{name: getattr(options, f"price_{name}") for name in PRICES})
    with one_line_errors("plan"):
        settings = use_settings(Settings.load())
    if options.images > settings.max_files_per_request:
        most = settings.max_files_per_request
        raise fail(
            f"plan: --images: an upload has at most {most} (MAX_FILES_PER_REQUEST)", USAGE_ERROR
        )
    rates = ASSUMED if options.defaults else measured(settings)
    needs = plan(demand, rates, prices, cores_a_machine=options.cores)
    burst = _burst(options, settings, rates, needs) if options.burst else None
    end_with_reader()
    if options.json:
        print(json.dumps(_document(demand, rates, prices, needs, burst), indent=2))
    else:
        print(_text(demand, rates, needs, burst, options.burst))


def measured(settings: Settings) -> Rates:
    """The rates measured on the running stack; assumed rates for the rest."""
    rates: dict[str, float] = {}
    sources: dict[str, str] = {}
    beats = [beat for beat in snapshot.workers() if beat["jobs_per_second"] > 0]
    try:
        connect(settings, pool=1)
        with connection():
            size = storage_size.measure()
    except (peewee.PeeweeException, SluiceError, OSError):
        return ASSUMED
    images = size.images / size.submissions if size.submissions else 1.0
    if beats:
        pace, jobs = fmean(b["jobs_per_second"] for b in beats), sum(b["processed"] for b in beats)
        slower = 1 / pace / ASSUMED.job(images)
        rates |= {"text": ASSUMED.text * slower, "image": ASSUMED.image * slower}
        sources["job"] = (
            f"the last of {jobs:,} jobs of {len(beats)} workers, {images:.1f} pictures an upload"
        )
    if size.submissions >= FEWEST:
        rates["row"] = (size.rows - ASSUMED.stub * size.stubs) / size.submissions
        sources["row"] = f"{size.submissions:,} submissions"
    if size.images >= FEWEST:
        rates["row_image"] = size.image_rows / size.images
        sources["row_image"] = f"{size.images:,} pictures"
    return replace(ASSUMED, **rates, measured=sources)  # type: ignore[arg-type]


def _burst(
    options: argparse.Namespace, settings: Settings, rates: Rates, needs: Needs
) -> BurstForecast:
    """The effect of a burst on these machines."""
    sent = flood(options.burst, needs.cores, needs.workers, rates, options.images)
    return forecast(sent, settings.fast_track_depth)


def _document(
    demand: Demand, rates: Rates, prices: Prices, needs: Needs, burst: BurstForecast | None
) -> dict[str, Any]:
    document = {
        "demand": asdict(demand),
        "rates": asdict(rates),
        "prices": asdict(prices),
        "needs": {**asdict(needs), "total": needs.total},
    }
    return {**document, "burst": asdict(burst)} if burst else document


def _text(
    demand: Demand, rates: Rates, needs: Needs, burst: BurstForecast | None, size: int
) -> str:
    rows = [
        ("Uploads", f"{demand.uploads_per_day:,.0f} per day: {demand.mean:,.1f} per second,"
                    f" {demand.busiest:,.1f} in the busiest hour"),
        ("Workers", f"{needs.workers:,} for the busiest hour; {needs.least_workers:,} if fast"
                    " rules answer it and the full checks run at night"),
        ("Web", f"{needs.web_instances:,} instances"),
        ("Cores", f"{needs.cores:,}, on {needs.machines:,} machines"),
        ("Memory", _gb(needs.memory_gb) + ", with the newest day of the database"),
        ("Database", f"{_gb(needs.database_gb)} after {demand.retention_days} days, then"
                     f" {_gb(needs.stubs_gb)} more per month: verdicts and decisions are kept"),
        ("Pictures", f"{_gb(needs.media_gb)} after {demand.retention_days} days"),
        ("Network", f"{needs.peak_mbit:,.0f} Mbit/s in the busiest hour,"
                    f" {_gb(needs.traffic_gb)} per month"),
    ]  # fmt: skip
    costs = ", ".join(f"{name} {money:,.0f}" for name, money in needs.cost.items())
    rows.append(("Cost", f"{needs.total:,.0f} per month: {costs} (example prices: --help)"))
    if burst is not None:
        rows.append(("A burst", _burst_text(burst, size)))
    rows += _sources(rates, demand.images)
    indent = " " * NAME_WIDTH
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent=f"{name:<{NAME_WIDTH}}", subsequent_indent=indent)
        for name, text in rows
    )


def _sources(rates: Rates, images: float) -> list[tuple[str, str]]:
    """The rates behind the plan: which were measured here, and which are assumed."""
    texts = {
        "job": f"a worker's job {1e3 * rates.job(images):.0f} ms",
        "intake": f"an upload's intake {1e3 * rates.intake:.0f} ms of a core",
        "row": f"a row {rates.row / 1e3:.1f} kB",
        "row_image": f"a picture's row {rates.row_image / 1e3:.1f} kB",
        "stub": f"its rest after retention {rates.stub / 1e3:.1f} kB",
        "thumbnail": f"a thumbnail {rates.thumbnail / 1e3:.0f} kB",
        "worker": f"a worker {rates.worker / 1e6:.0f} MB",
        "base": f"everything else {rates.base / 1e6:.0f} MB",
    }
    measured = [f"{texts.pop(name)} ({source})" for name, source in rates.measured.items()]
    return [
        ("Measured", "; ".join(measured) or "nothing: no stack runs, or it has no jobs yet"),
        ("Assumed", f"{rates.assumed}: {', '.join(texts.values())}"),
    ]


def _burst_text(burst: BurstForecast, size: int) -> str:
    return (
        f"of {size:,}: answered in {burst.answered:,.0f} s; at most {burst.depth:,.0f} queued, for"
        f" at most {burst.worst_wait:,.0f} s; all checked in full after {burst.checked:,.0f} s"
    )


def _gb(value: float) -> str:
    return f"{value / 1000:,.1f} TB" if value >= 1000 else f"{value:,.1f} GB"


def _options() -> argparse.Namespace:
    usage = "scripts/plan --uploads-per-day N [OPTION]…; scripts/plan --help lists them"
    made = argparse.ArgumentParser(prog="scripts/plan", usage=usage, add_help=False)
    more, share = _number(1e-9), _number(1.0)
    made.add_argument("--uploads-per-day", type=more, required=True)
    made.add_argument("--peak", type=share, default=Demand(1).peak)
    made.add_argument("--images", type=_number(0), default=Demand(1).images)
    made.add_argument("--image-kb", type=more, default=Demand(1).image_kb)
    made.add_argument("--retention-days", type=_whole, default=Demand(1).retention_days)
    made.add_argument("--cores", type=_whole, default=8)
    made.add_argument("--burst", type=_whole, default=0)
    made.add_argument("--json", action="store_true")
    made.add_argument("--defaults", action="store_true")
    for price in fields(Prices):
        option = f"--price-{price.name.replace('_', '-')}"
        made.add_argument(option, type=_number(0), default=price.default)
    return made.parse_args()


def _number(least: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text.replace(",", "").replace("_", ""))
        if not least <= value < math.inf:
            bound = f"from {least:g} up" if least in (0, 1) else "above 0"
            raise argparse.ArgumentTypeError(f"{text} is not a number {bound}")
        return value

    return number


def _whole(text: str) -> int:
    value = int(text.replace(",", "").replace("_", ""))
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return value


if __name__ == "__main__":
    main()
