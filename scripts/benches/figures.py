"""Figures of `scripts/bench`: medians with their spread, as a table, as Markdown and as JSON."""

from __future__ import annotations

import math
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

ENOUGH = 20  # rounds required for a meaningful 95th percentile
FLAT = 0.15  # growth exponent up to which a figure counts as constant
HEAD = ("row", "what", "measured", "spread", "yardstick", "ratio", "goal", "met")


@dataclass(frozen=True)
class Measure:
    """The median of several rounds with the lowest and the highest; None if there is no value.

    ``middle_half`` is the interquartile range, if it is measured, and ``p95`` the 95th percentile.
    """

    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    middle_half: float | None = None
    p95: float | None = None

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> Measure:
        """The measure of these rounds."""
        p95 = percentile(values, 0.95) if len(values) >= ENOUGH else None
        middle = statistics.median(values)
        return cls(middle, unit, min(values), max(values), len(values), p95=p95)

    def __str__(self) -> str:
        return "–" if self.value is None else f"{short(self.value)} {self.unit}".strip()

    @property
    def spread(self) -> str:
        """``lowest – highest``, or the interquartile range."""
        if self.middle_half is not None:
            return f"± {short(self.middle_half / 2)}"
        if self.low is None or self.high is None:
            return "–"
        return f"{short(self.low)} – {short(self.high)}"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    ``goal`` is the target as text, ``met`` whether it is reached; ``ratio`` is to the yardstick,
    above 1 is better. A ``detail`` is one of many similar figures: it is only in the JSON, and the
    tables have a summary of all of them.
    """

    row: str
    what: str
    measure: Measure
    yardstick: str = ""
    beside: Measure | None = None
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    note: str = ""
    detail: bool = False

    def cells(self) -> tuple[str, ...]:
        """The line's texts, in the order of HEAD."""
        beside = f"{self.yardstick}: {self.beside}" if self.beside else self.yardstick
        ratio = f"{short(self.ratio)} ×" if self.ratio is not None else ""
        met = {True: "yes", False: "no", None: ""}[self.met]
        values = (self.row, self.what, str(self.measure), self.measure.spread, beside)
        return (*values, ratio, self.goal, met)

    def document(self) -> dict[str, Any]:
        """The line as JSON."""
        reported = {name: getattr(self, name) for name in ("row", "what", "ratio", "goal", "met")}
        beside = vars(self.beside) if self.beside else None
        yardstick = {"what": self.yardstick, "measure": beside}
        last = {"note": self.note, "detail": self.detail}
        return {**reported, "measure": vars(self.measure), "yardstick": yardstick, **last}


def against(
    row: str,
    what: str,
    ours: Sequence[float],
    unit: str,
    beside: tuple[str, Sequence[float]],
    *,
    least: float,
    goal: str,
    note: str = "",
) -> Figure:
    """A rate compared with its yardstick in the same rounds; met at ``least`` times it."""
    ratios = [mine / other for mine, other in zip(ours, beside[1], strict=True)]
    ratio = statistics.median(ratios)
    return Figure(
        row, what, Measure.of(ours, unit), beside[0], Measure.of(beside[1], unit),
        ratio, goal, ratio >= least, note,
    )  # fmt: skip


def at_most(
    row: str, what: str, values: Sequence[float], unit: str, most: float, note: str = ""
) -> Figure:
    """A figure whose goal is at most ``most``."""
    measure = Measure.of(values, unit)
    met = statistics.median(values) <= most
    return Figure(row, what, measure, goal=f"≤ {short(most)} {unit}", met=met, note=note)


def growing(row: str, what: str, by_size: Mapping[int, float], *, slight: bool = False) -> Figure:
    """The growth exponent of a figure with size: 0 is constant, 1 is proportional.

    It is the slope of a line through all sizes on logarithmic scales. ``slight``: the largest value
    is far below its goal, so growth does not matter.
    """
    sizes, values = zip(*sorted(by_size.items()), strict=True)
    slope = statistics.linear_regression(*([math.log(n) for n in each] for each in (sizes, values)))
    reported = f"{what}: exponent of growth, {sizes[0]:,} to {sizes[-1]:,}"
    goal = f"≤ {FLAT:g}, or far below its goal" if slight else f"≤ {FLAT:g}"
    met = slope.slope <= FLAT or slight
    return Figure(row, reported, Measure(slope.slope, ""), goal=goal, met=met)


def percentile(values: Sequence[float], share: float) -> float:
    """The percentile of the values at this share."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Iterable[Figure]) -> str:
    """The figures as a text table, with notes below."""
    figures = [figure for figure in figures if not figure.detail]
    lines = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    drawn = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*drawn, *_notes(figures)])


def markdown(figures: Iterable[Figure], machine: dict[str, Any]) -> str:
    """The figures as the table of ``docs/performance.md``."""
    figures = [figure for figure in figures if not figure.detail]
    lines = [_machine_line(machine), ""]
    lines += [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
    lines += [f"| {' | '.join(figure.cells())} |" for figure in figures]
    return "\n".join([*lines, *_notes(figures)]) + "\n"


def document(figures: Iterable[Figure], machine: dict[str, Any]) -> dict[str, Any]:
    """The figures in the format of the JSON file."""
    return {"machine": machine, "figures": [figure.document() for figure in figures]}


def machine() -> dict[str, Any]:
    """Machine and time; ``load`` is the machine's load average before the measurement."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1024**3, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _machine_line(machine: dict[str, Any]) -> str:
    return (
        f"{machine['date'][:10]}, {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gb']} GB, {machine['system']}, Python {machine['python']};"
        f" load before: {machine['load']}."
    )


def _processor() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def _notes(figures: Iterable[Figure]) -> list[str]:
    notes = dict.fromkeys(f"{figure.row}: {figure.note}" for figure in figures if figure.note)
    return ["", *(f"- {note}" for note in notes)] if notes else []


def short(value: float) -> str:
    """At most three significant digits; counts are printed exactly."""
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
