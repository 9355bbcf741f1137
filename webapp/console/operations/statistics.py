"""Statistics of the last hour, day, week, month or year, for all clients or one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_login import login_required

from models.capacity.mode import MODES
from models.clients.client import Client
from models.sheets import csv_json
from models.statistics import history
from models.statistics.counters import Counts
from models.statistics.history import History, Span
from models.verdict import APPROVED, REJECTED, REVIEW, VERDICTS
from tasks.load import prometheus
from webapp.console.shared import formatting, list_filter
from webapp.http.offload import offload
from webapp.http.replica_reads import from_replica

HEIGHT = 100.0  # of the chart's view box; its width is 100 too
GAP = 0.22  # share of a step between two bars
ORDER = (APPROVED, REVIEW, REJECTED)
MODE_WORDS = {"sync": "sync", "async": "async", "fast_track": "fast-track", "direct": "direct"}
DECISIONS = ("reviewed", "flags_decided", "flags_approved", "overturned", "missed", "appeals")
COLUMNS = (
    "at",
    "received",
    *MODES,
    *VERDICTS,
    "wait_mean_seconds",
    "wait_p95_seconds",
    "decided_by_people",
    "flags_decided",
    "flags_approved",
    "overturned_rejections",
    "missed",
    "appeals",
)

pages = Blueprint("statistics", __name__, url_prefix="/console/statistics")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart: position, tooltip, and parts (class, y, height)."""

    x: float
    width: float
    title: str
    parts: list[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars; ``key`` maps each part's class to its name, ``most`` labels the top."""

    title: str
    key: dict[str, str]
    bars: list[Bar]
    most: str
    empty: bool


@pages.get("/")
@login_required
@from_replica
def show() -> str:
    """The figures and charts for the range and client in the URL."""
    span, client = _span(), _client()
    series = history.read(span, client)
    return render_template(
        "statistics/page.html",
        span=span,
        spans=list(history.SPANS),
        client=client,
        clients=list(Client.select(Client.id, Client.name).order_by(Client.name).tuples()),
        figures=_figures(series.total),
        charts=_charts(series),
        labels=series.total.labels(),
        caches=_caches(),
        rows=[(_when(span, at), counts) for at, counts in reversed(series.points.items())],
        begins=_when(span, next(iter(series.points))),
    )


@pages.get("/export.csv")
@login_required
@from_replica
def export() -> Response:
    """The same figures as CSV."""
    span, client = _span(), _client()
    points = history.read(span, client).points.items()
    body = csv_json.as_csv(COLUMNS, (_cells(*point) for point in points))
    headers = {"Content-Disposition": f'attachment; filename="sluice-{span.name}.csv"'}
    return Response(body, mimetype="text/csv", headers=headers)


def _span() -> Span:
    return history.SPANS.get(request.args.get("range", ""), history.SPANS["day"])


def _client() -> int:
    client = list_filter.client(request.args.get("client", ""))
    return client.id if client else history.EVERYBODY


def _figures(total: Counts) -> list[tuple[str, str, str]]:
    """(label, value, note) of the figures at the top."""
    verdicts = total.by("verdict", VERDICTS)
    decided = sum(verdicts.values())
    mean, p95, false = total.wait_mean, total.wait_percentile(95), total.false_positive_share
    return [
        ("Uploads", f"{total.of('received'):,}", f"{decided:,} decided"),
        *(
            (
                word,
                _share(verdicts[name], decided),
                formatting.many(verdicts[name], "first verdict"),
            )
            for name, word in (
                (APPROVED, "Approved"),
                (REVIEW, "To review"),
                (REJECTED, "Rejected"),
            )
        ),
        ("Wait", _seconds(mean), f"mean; 95 % within {_seconds(p95)}"),
        (
            "False positives",
            "–" if false is None else f"{100 * false:.1f} %",
            f"{total.flags_approved:,} of {formatting.many(total.flags_decided, 'decided flag')}"
            " approved by people",
        ),
    ]


def _charts(series: History) -> list[Chart]:
    return [
        _chart(series, "Uploads by mode", MODE_WORDS, [(n, "received", n, "") for n in MODES]),
        _chart(
            series,
            "First verdicts",
            {name: name for name in ORDER},
            [(name, "verdict", name, "") for name in ORDER],
        ),
        _chart(
            series,
            "Decisions of moderators",
            {
                "agreed": "other",
                "overturned": "rejection overturned",
                "missed": "approval overturned",
            },
            [
                ("agreed", "person", "", REVIEW),
                ("overturned", "person", APPROVED, REJECTED),
                ("missed", "person", REJECTED, APPROVED),
            ],
        ),
    ]


def _chart(
    series: History, title: str, key: dict[str, str], parts: Sequence[tuple[str, str, str, str]]
) -> Chart:
    """Bars of the counts; ``parts`` are (class, kind, name, detail)."""
    names = [part[0] for part in parts]
    steps = [
        [max(0, counts.of(kind, name, detail)) for _, kind, name, detail in parts]
        for counts in series.points.values()
    ]
    most = max(1, *(sum(step) for step in steps))
    width = 100 / len(steps)
    bars = []
    for number, (at, step) in enumerate(zip(series.points, steps, strict=True)):
        text = ", ".join(f"{n:,} {key[name]}" for name, n in zip(names, step, strict=True) if n)
        title_ = f"{_when(series.span, at)}: {text or 'no data'}"
        stacked = _stacked(names, step, most)
        bars.append(Bar(round(number * width, 3), round(width * (1 - GAP), 3), title_, stacked))
    return Chart(title, key, bars, f"{most:,}", not any(map(sum, steps)))


def _stacked(
    names: Sequence[str], step: Sequence[int], most: int
) -> list[tuple[str, float, float]]:
    below, parts = 0.0, []
    for name, n in zip(names, step, strict=True):
        height = HEIGHT * n / most
        below += height
        if n:
            parts.append((name, round(HEIGHT - below, 3), round(height, 3)))
    return parts


def _caches() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(cache, hit rate, hit rate by layer) on this host since its counters started."""
    hits: dict[tuple[str, str], float] = {}
    lookups: dict[str, float] = {}
    for name, labels, value in offload(_cache_samples):
        where = labels["cache"], labels["layer"]
        if name == "sluice_cache_hits_total":
            hits[where] = hits.get(where, 0) + value
        if name == "sluice_cache_hits_total" or where[1] == "postgres":
            # a lookup ends as a hit of one layer or as a miss of the last one
            lookups[where[0]] = lookups.get(where[0], 0) + value
    names = {"same_bytes": "Same bytes", "look_alikes": "Look-alikes of flags"}
    layers = {"process": "process", "redis": "Redis", "postgres": "PostgreSQL"}
    return [
        (
            word,
            _share(sum(hits.get((cache, layer), 0) for layer in layers), lookups.get(cache, 0)),
            [
                (shown, _share(hits.get((cache, at), 0), lookups[cache]))
                for at, shown in layers.items()
            ],
        )
        for cache, word in names.items()
        if lookups.get(cache)
    ]


def _cache_samples() -> list[tuple[str, dict[str, str], float]]:
    return [
        (sample.name, sample.labels, sample.value)
        for family in prometheus.measures()
        if family.name in ("sluice_cache_hits", "sluice_cache_misses")
        for sample in family.samples
        if sample.name.endswith("_total")
    ]


def _cells(at: int, counts: Counts) -> list[Any]:
    values = counts.as_dict()
    return [
        datetime.fromtimestamp(at, UTC).isoformat(),
        values["received"],
        *values["modes"].values(),
        *values["verdicts"].values(),
        values["wait_mean"] if values["wait_mean"] is not None else "",
        values["wait_p95"] if values["wait_p95"] is not None else "",
        *(values[name] for name in DECISIONS),
    ]


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _seconds(value: float | None) -> str:
    return "–" if value is None else " ".join(formatting.span(value)).strip()


def _when(span: Span, at: int) -> str:
    """The start of a step as text, UTC."""
    shape = {"hour": "%H:%M", "day": "%H:%M", "week": "%a %H:%M", "month": "%-d %b %H:%M"}
    return datetime.fromtimestamp(at, UTC).strftime(shape.get(span.name, "%-d %b %Y"))
