"""Figures of `scripts/bench`: medians with their spread, as a table, as Markdown and as JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

HEAD = ("row", "what", "measured", "spread", "yardstick", "ratio", "goal", "met")


@dataclass(frozen=True)
class Measure:
    """The median of several rounds with the lowest and the highest; None where there is none.

    ``middle_half`` is the width of the middle half of the rounds, for what is measured so.
    """

    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    middle_half: float | None = None

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> Measure:
        """What these rounds say."""
        return cls(statistics.median(values), unit, min(values), max(values), len(values))

    def __str__(self) -> str:
        return "–" if self.value is None else f"{_short(self.value)} {self.unit}".strip()

    @property
    def spread(self) -> str:
        """``lowest – highest``, or the width of the middle half."""
        if self.middle_half is not None:
            return f"± {_short(self.middle_half / 2)}"
        if self.low is None or self.high is None:
            return "–"
        return f"{_short(self.low)} – {_short(self.high)}"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    ``goal`` is what is aimed at, in words, and ``met`` whether it holds; ``ratio`` is to the
    yardstick, above 1 for better.
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

    def cells(self) -> tuple[str, ...]:
        """The line's texts, in the order of HEAD."""
        beside = f"{self.yardstick}: {self.beside}" if self.beside else self.yardstick
        ratio = f"{_short(self.ratio)} ×" if self.ratio is not None else ""
        met = {True: "yes", False: "no", None: ""}[self.met]
        values = (self.row, self.what, str(self.measure), self.measure.spread, beside)
        return (*values, ratio, self.goal, met)

    def document(self) -> dict[str, Any]:
        """The line as JSON."""
        told = {name: getattr(self, name) for name in ("row", "what", "ratio", "goal", "met")}
        beside = vars(self.beside) if self.beside else None
        yardstick = {"what": self.yardstick, "measure": beside}
        return {**told, "measure": vars(self.measure), "yardstick": yardstick, "note": self.note}


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
    """A rate beside its yardstick's of the same rounds; met from ``least`` times it."""
    ratios = [mine / other for mine, other in zip(ours, beside[1], strict=True)]
    ratio = statistics.median(ratios)
    return Figure(
        row, what, Measure.of(ours, unit), beside[0], Measure.of(beside[1], unit),
        ratio, goal, ratio >= least, note,
    )  # fmt: skip


def at_most(
    row: str, what: str, values: Sequence[float], unit: str, most: float, note: str = ""
) -> Figure:
    """A figure that is to stay at or below ``most``."""
    measure = Measure.of(values, unit)
    met = statistics.median(values) <= most
    return Figure(row, what, measure, goal=f"≤ {_short(most)} {unit}", met=met, note=note)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Iterable[Figure]) -> str:
    """The figures for a terminal, and the notes below."""
    figures = list(figures)
    lines = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    drawn = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*drawn, *_notes(figures)])


def markdown(figures: Iterable[Figure], machine: dict[str, Any]) -> str:
    """The figures as the table of ``docs/performance.md``."""
    figures = list(figures)
    lines = [_machine_line(machine), ""]
    lines += [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
    lines += [f"| {' | '.join(figure.cells())} |" for figure in figures]
    return "\n".join([*lines, *_notes(figures)]) + "\n"


def document(figures: Iterable[Figure], machine: dict[str, Any]) -> dict[str, Any]:
    """The figures as the JSON file holds them."""
    return {"machine": machine, "figures": [figure.document() for figure in figures]}


def machine() -> dict[str, Any]:
    """Where and when; ``load`` is the machine's before the measurement, others' work included."""
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


def _short(value: float) -> str:
    """Three figures and no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
