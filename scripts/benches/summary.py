"""The summary at the top of ``docs/performance.md``: the most important goals, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.benches.figures import Measure, short

Kept = Mapping[
    str, Mapping[str, Any]
]  # by row: its machine, and its figures in the format of the JSON
HEAD = ("what", "row", "measured", "goal", "met")
PLACE = re.compile(r"(<!-- summary -->\n).*?(<!-- end -->\n)", re.S)


@dataclass(frozen=True)
class SummaryLine:
    """One line: the row, which of its figures (a pattern in their ``what``), and a description."""

    row: str
    pattern: str
    words: str


LINES = (
    SummaryLine("intake", r"form$", "uploads of 100 KB accepted per second, as a form"),
    SummaryLine(
        "intake", r"image as the body$", "uploads of 100 KB accepted per second, as the body"
    ),
    SummaryLine("fast_track", r"^1 KB text, one at a time: total p95", "fast rules, a text: p95"),
    SummaryLine(
        "fast_track", r"JPEG, one at a time: total p95", "fast rules, text and picture: p95"
    ),
    SummaryLine("fast_track", r"JPEG, 16 at once: total p95", "the same, 16 concurrent: p95"),
    SummaryLine("rules", r"10,000 terms, norm.*alternation", "a text of 1 KB against 10,000 terms"),
    SummaryLine("rules", r"10,000 terms, norm.*better-profanity", "the same"),
    SummaryLine(
        "worker", r"one worker, whole tasks.*ONNX", "pictures decided per second by a worker"
    ),
    SummaryLine("worker", r"one worker, whole tasks.*opennsfw2", "the same"),
    SummaryLine("repeats", r"80 % repeats", "the same if four of five are repeats"),
    SummaryLine("sync", r"end to end, p50", "a verdict while the caller waits, idle server: p50"),
    SummaryLine(
        "detect", r"^32 requests at once \|", "pictures scored per second, 32 concurrent requests"
    ),
    SummaryLine("burst", r"responses other than", "a burst of 10,000: unexpected responses"),
    SummaryLine("burst", r"lost or undecided", "a burst of 10,000: uploads lost or undecided"),
    SummaryLine("burst", r"^answer: p99", "a burst of 10,000: response time, p99"),
    SummaryLine(
        "burst", r"^estimated wait", "a burst of 10,000: error of the estimated wait, median"
    ),
    SummaryLine(
        "pressed", r"heavy client", "a burst with the adaptive limit: uploads that get 429"
    ),
    SummaryLine(
        "scaling", r"10,000: longest wait", "a burst of 10,000 with autoscaling: longest wait"
    ),
    SummaryLine("growth", r"^status.*1,000,000 submissions", "1,000,000 submissions: status, p95"),
    SummaryLine("growth", r"^review.*1,000,000 submissions", "1,000,000 submissions: review, p95"),
    SummaryLine(
        "growth", r"^dashboard, 1,000,000 submissions", "1,000,000 submissions: dashboard, p95"
    ),
    SummaryLine("growth", r"^search.*1,000,000 submissions", "1,000,000 submissions: search, p95"),
    SummaryLine("memory", r"^one worker", "memory of a worker"),
    SummaryLine("memory", r"^whole idle stack", "memory of the whole stack, idle"),
    SummaryLine("events", r"^500 browsers.*p99", "from a decision to 500 browsers: p99"),
    SummaryLine("review", r"p95$", "key press to the next flag painted: p95"),
    SummaryLine("up", r"serving", "a second `scripts/up`, until it serves"),
)


def put(page: str, kept: Kept) -> str:
    """The page with its summary regenerated from the stored figures."""
    return PLACE.sub(lambda found: f"{found[1]}{_table(page, kept)}{found[2]}", page, count=1)


def missing(kept: Kept) -> list[SummaryLine]:
    """Lines whose row was measured but lacks the figure."""
    return [line for line in LINES if line.row in kept and _figure(line, kept) is None]


def _table(page: str, kept: Kept) -> str:
    rows = list(_rows(page, kept))
    reported = [HEAD, ("---",) * len(HEAD), *rows]
    held = sum(row[-1] == "yes" for row in rows)
    counted = sum(bool(row[-1]) for row in rows)
    lines = [f"| {' | '.join(row)} |" for row in reported]
    return "\n".join([f"{held} of {counted} goals hold.", "", *lines]) + "\n"


def _rows(page: str, kept: Kept) -> Iterator[tuple[str, ...]]:
    for line in LINES:
        figure = _figure(line, kept)
        if figure is not None:
            met = {True: "yes", False: "**no**", None: ""}[figure["met"]]
            row = f"[{line.row}](#{_anchor(page, line.row)})"
            yield line.words, row, _measured(figure), figure["goal"], met


def _figure(line: SummaryLine, kept: Kept) -> Mapping[str, Any] | None:
    """The first figure of a line's row whose text, including the yardstick, matches its pattern."""
    for figure in kept.get(line.row, {}).get("figures", ()):
        reported = f"{figure['what']} | {figure['yardstick']['what']}"
        what = figure["what"]
        if not figure["detail"] and (
            re.search(line.pattern, what) or re.search(line.pattern, reported)
        ):
            return figure
    return None


def _measured(figure: Mapping[str, Any]) -> str:
    """The figure, with its yardstick if the goal is relative to it."""
    ours, yardstick = Measure(**figure["measure"]), figure["yardstick"]
    if not yardstick["measure"]:
        return str(ours)
    beside = f"{ours}; {yardstick['what']}: {Measure(**yardstick['measure'])}"
    judged = "×" in figure["goal"] and figure["ratio"] is not None
    return f"{short(figure['ratio'])} × ({beside})" if judged else beside


def _anchor(page: str, row: str) -> str:
    """The anchor of the heading above a row's section."""
    above = page.partition(f"<!-- bench {row} -->")[0]
    heading = re.findall(r"^## (.+)$", above, re.M)[-1:] or [row]
    return re.sub(r"[^\w\- ]", "", heading[0].lower()).replace(" ", "-")
