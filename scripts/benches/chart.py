"""Draws charts as SVG: panels one below the other over one time axis.

They contain the console's light and dark colours, chosen by ``prefers-color-scheme``, and need no
script and no embedded font.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, LEFT, RIGHT = 920, 76, 24
HEAD, GAP, TIMES, FOOT = 64, 34, 22, 14
STYLE = """
svg { font: 12px Inter, system-ui, sans-serif; font-variant-numeric: tabular-nums;
  --panel: #ffffff; --line: #e2e7ec; --text: #10161d; --muted: #4a5765; --faint: #5f6c7b;
  --accent: #0f766e; --blue: #1d4ed8; --amber: #b45309; --red: #b91c1c; --green: #15803d }
@media (prefers-color-scheme: dark) { svg { --panel: #151a21; --line: #262d37; --text: #e8ecf1;
  --muted: #a6b0bd; --faint: #8b96a5; --accent: #2dd4bf; --blue: #7aa2ff; --amber: #fbbf24;
  --red: #f87171; --green: #4ade80 } }
.back { fill: var(--panel); stroke: var(--line) } .grid { stroke: var(--line) }
.title { font-size: 16px; font-weight: 650; fill: var(--text) } .sub { fill: var(--muted) }
.name { font-weight: 600; fill: var(--text) } .tick { fill: var(--faint); font-size: 11px }
.key { fill: var(--muted); font-size: 11px } .band { opacity: .14 } .area { opacity: .12 }
.rule { stroke: var(--faint); stroke-dasharray: 3 4 }
.series { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round }
"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class ChartLine:
    """A series with its colour; ``dots`` draws points, ``stepped`` draws steps."""

    name: str
    points: Points
    colour: str = "accent"
    area: bool = False
    dots: bool = False
    stepped: bool = False


@dataclass(frozen=True)
class Band:
    """A named time range, such as a mode."""

    name: str
    start: float
    end: float
    colour: str


@dataclass(frozen=True)
class Panel:
    """One plot: its name with the unit, its lines, and thresholds as (value, name)."""

    name: str
    lines: Sequence[ChartLine]
    bands: Sequence[Band] = ()
    rules: Sequence[tuple[float, str]] = ()
    height: int = 130
    end: float | None = None  # of the axis, if not the chart's


@dataclass(frozen=True)
class Chart:
    """Panels that share the axis from ``start`` to ``end`` in seconds."""

    title: str
    sub: str
    panels: Sequence[Panel] = field(default_factory=tuple)
    start: float = 0.0
    end: float = 1.0

    def svg(self) -> str:
        """The whole picture."""
        parts, top = [], HEAD + 16
        for number, panel in enumerate(self.panels):
            axis = Axis(self.start, self.end if panel.end is None else panel.end)
            parts += _panel(panel, top, axis)
            top += panel.height
            if panel is self.panels[-1] or self.panels[number + 1].end != panel.end:
                parts += _times(axis, top + 18)
                top += TIMES
            top += GAP
        height = top - GAP + FOOT
        spoken = escape(f"{self.title}. {self.sub}", quote=True)
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            f' aria-label="{spoken}"><style>{STYLE}</style>',
            f'<rect class="back" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
            f'<text class="title" x="24" y="30">{escape(self.title)}</text>',
            f'<text class="sub" x="24" y="48">{escape(self.sub)}</text>',
        ]
        return "\n".join([*head, *parts, "</svg>"]) + "\n"


@dataclass(frozen=True)
class Axis:
    """An axis of time, in seconds."""

    start: float
    end: float

    def x(self, at: float) -> float:
        """The x coordinate of a time."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.start) / (self.end - self.start)


def _times(axis: Axis, y: int) -> Iterator[str]:
    for at in _ticks(axis.start, axis.end, 9, time=True):
        yield (
            f'<text class="tick" x="{axis.x(at):.1f}" y="{y}" text-anchor="middle">'
            f"{_clock(at, axis.end - axis.start)}</text>"
        )


def _panel(panel: Panel, top: int, axis: Axis) -> Iterator[str]:
    most = max(
        [value for line in panel.lines for _, value in line.points]
        + [value for value, _ in panel.rules]
        + [1.0]
    )
    ticks = list(_ticks(0, most, 4))
    most = max(most, ticks[-1])
    plot = panel.height - 22
    base = top + panel.height

    def y(value: float) -> float:
        return base - plot * value / most

    yield f'<text class="name" x="{LEFT}" y="{top + 8}">{escape(panel.name)}</text>'
    yield from _keys(panel, top)
    for band in panel.bands:
        yield from _band(band, base - plot, base, axis)
    for value in ticks:
        yield f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
        yield (
            f'<text class="tick" x="{LEFT - 10}" y="{y(value) + 4:.1f}" text-anchor="end">'
            f"{_number(value)}</text>"
        )
    for value, name in panel.rules:
        across = f"M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"
        yield f'<path class="rule" d="{across}"/>'
        yield (
            f'<text class="tick" x="{WIDTH - RIGHT - 6}" y="{y(value) - 5:.1f}"'
            f' text-anchor="end">{escape(name)}</text>'
        )
    for line in panel.lines:
        shown = [
            (axis.x(at), y(value)) for at, value in line.points if axis.start <= at <= axis.end
        ]
        yield from _line(line, shown, base)


def _keys(panel: Panel, top: int) -> Iterator[str]:
    """The legend at the right; a single line needs none, bands do."""
    lines = panel.lines if len(panel.lines) > 1 else ()
    keys = {line.name: (line.colour, 1.0) for line in lines}
    keys |= {band.name: (band.colour, 0.3) for band in panel.bands}
    left = WIDTH - RIGHT - sum(_width(name) for name in keys) + 12
    for name, (colour, strength) in keys.items():
        yield (
            f'<rect x="{left}" y="{top - 1}" width="10" height="10" rx="2" opacity="{strength}"'
            f' fill="var(--{colour})"/>'
            f'<text class="key" x="{left + 15}" y="{top + 8}">{escape(name)}</text>'
        )
        left += _width(name)


def _width(name: str) -> int:
    """Approximate width in pixels of a legend entry with its swatch and gap."""
    return 15 + round(5.8 * len(name)) + 18


def _band(band: Band, top: float, base: float, axis: Axis) -> Iterator[str]:
    if band.start >= axis.end:
        return
    left, right = axis.x(max(band.start, axis.start)), axis.x(min(band.end, axis.end))
    yield (
        f'<rect class="band" x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0.5):.1f}"'
        f' height="{base - top:.1f}" fill="var(--{band.colour})"/>'
    )


def _line(line: ChartLine, points: list[tuple[float, float]], base: float) -> Iterator[str]:
    paint = f"var(--{line.colour})"
    if line.dots:
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
        yield (
            f'<path d="{dots}" stroke="{paint}" stroke-width="3" stroke-linecap="round"'
            ' opacity=".35" fill="none"/>'
        )
        return
    if not points:
        return
    way = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    way += "".join(f"H{x:.1f}V{y:.1f}" if line.stepped else f"L{x:.1f} {y:.1f}" for x, y in points)
    if line.area:
        closed = f"{way}L{points[-1][0]:.1f} {base}L{points[0][0]:.1f} {base}Z"
        yield f'<path class="area" d="{closed}" fill="{paint}"/>'
    yield f'<path class="series" d="{way}" stroke="{paint}"/>'


def _ticks(low: float, high: float, about: int, *, time: bool = False) -> Iterator[float]:
    """Round values from ``low`` to at least ``high``; on the time axis they end before it."""
    step = _step((high - low) / about, time)
    at = math.ceil(low / step) * step
    while at <= high * (1 if time else 1 + 1e-9) or (not time and at < high + step * 0.999):
        yield at
        at += step


def _step(rough: float, time: bool) -> float:
    if time:
        steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600)
        return float(next((step for step in steps if step >= rough), steps[-1]))
    power = 10 ** math.floor(math.log10(rough))
    return next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * 0.999)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def _clock(at: float, span: float) -> str:
    if span > 4 * 3600:
        return f"{at / 3600:.0f} h"
    if span > 600:
        return f"{at / 60:g} min"
    return f"{at:g} s"
