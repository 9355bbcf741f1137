"""The rows of the burst: responses, outcomes of the uploads, and the forecast."""

from __future__ import annotations

import json
from dataclasses import replace

from models.settings import Settings
from scripts.benches.burst import Burst, median_error, rates, run
from scripts.benches.burst_chart import chart
from scripts.benches.figures import Figure, Measure, percentile
from scripts.benches.http import Plan
from tasks.commands.capacity_planning import forecast

SIZES, CONNECTIONS = (1_500, 10_000), 1_000
QUICK = {"SYNC_MAX_DEPTH": 20, "FAST_TRACK_DEPTH": 120}  # for bursts of a twentieth
NOTE = (
    "seven of ten are texts, two pictures of 12 KB, one of 100 KB, by 5,000 authors of 4 clients;"
    " each connection sends its next upload as soon as the last one is answered; the client shares"
    " the cores"
)
CLOSE = 25.0  # percent by which the forecast may be wrong


def burst(plan: Plan) -> list[Figure]:
    """10,000 uploads over 1,000 connections: answers, modes, waits, verdicts, and a chart."""
    seen, settings = _seen(plan, "burst")
    first, whole = seen
    keep(plan, "burst", whole, settings)
    return [*_answers(whole), *_outcome(whole), *_foreseen(first, whole, settings), *_memory(whole)]


def sizes(plan: Plan) -> tuple[tuple[int, ...], int, dict[str, int]]:
    """Uploads of the small burst and of the big one, connections, and settings for them."""
    if plan.rounds > 1:
        return SIZES, CONNECTIONS, {}
    return (300, 1_000), 100, QUICK


def _seen(plan: Plan, name: str) -> tuple[list[Burst], Settings]:
    uploads, connections, settings = sizes(plan)
    return run(plan, uploads, connections, name, **settings)


def keep(plan: Plan, name: str, seen: Burst, settings: Settings) -> None:
    """Write the chart and the full results."""
    folder = plan.work / "charts"
    folder.mkdir(exist_ok=True)
    drawn = chart(seen, (settings.sync_max_depth, settings.fast_track_depth))
    (folder / f"{name}.svg").write_text(drawn, "utf-8")
    (plan.work / f"{name}.json").write_text(json.dumps(vars(seen)), "utf-8")


def _answers(seen: Burst) -> list[Figure]:
    seconds = [one["seconds"] for one in seen.uploads if "seconds" in one]
    reported = ", ".join(f"{count:,} × {status}" for status, count in sorted(seen.answers.items()))
    p99 = percentile(seconds, 0.99)
    what = f"{len(seen.uploads):,} uploads, {seen.connections:,} connections"
    span = seen.answered - seen.began
    return [
        Figure(
            "burst",
            f"{what}: answers a second",
            Measure(len(seen.acknowledged) / span, "/s"),
            note=NOTE,
        ),
        Figure(
            "burst",
            f"responses other than 200, 202, 429, 503 ({reported})",
            Measure(seen.errors, "errors"),
            goal="0",
            met=seen.errors == 0,
        ),
        Figure("burst", "answer: p50", Measure(percentile(seconds, 0.5), "s")),
        Figure("burst", "answer: p99", Measure(p99, "s"), goal="< 2 s", met=p99 < 2),
    ]


def _outcome(seen: Burst) -> list[Figure]:
    modes = " → ".join(f"{mode} {at:.0f} s" for mode, at in seen.modes)
    error, lost, twice = median_error(seen.waits), len(seen.undecided), len(seen.decided_twice)
    up_and_down = seen.modes[-1][0] == "sync" and any(mode != "sync" for mode, _ in seen.modes)
    highest = [look["depth"] for look in seen.looks], [look["debt"] for look in seen.looks]
    acknowledged = f"of {len(seen.acknowledged):,} acknowledged"
    return [
        Figure(
            "burst",
            f"{acknowledged}: lost or undecided",
            Measure(lost, ""),
            goal="0",
            met=lost == 0,
        ),
        Figure(
            "burst", f"{acknowledged}: decided twice", Measure(twice, ""), goal="0", met=not twice
        ),
        Figure(
            "burst",
            f"modes: {modes}",
            Measure(len(seen.modes) - 1, "changes"),
            goal="up and down again",
            met=up_and_down,
        ),
        Figure(
            "burst",
            f"estimated wait compared with the real wait, {len(seen.waits):,} × 202: median error",
            Measure(error, "%"),
            goal="≤ 20 %",
            met=error <= 20,
        ),
        Figure("burst", "queue: longest", Measure(max(highest[0]), "jobs")),
        Figure("burst", "review debt: most", Measure(max(highest[1]), "submissions")),
    ]


def _foreseen(first: Burst, whole: Burst, settings: Settings) -> list[Figure]:
    """The forecast from the small burst before it, compared with the result."""
    flood = replace(rates(first), uploads=len(whole.acknowledged))
    reported = forecast(flood, settings.fast_track_depth)
    began = whole.began
    fast = {one["job_id"] for one in whole.acknowledged if one["mode"] == "fast_track"}
    queued = max(row[2] for job, row in whole.rows.items() if job not in fast)
    pairs = (
        ("longest queue", reported.depth, max(look["depth"] for look in whole.looks), "jobs"),
        ("longest wait", reported.worst_wait, max(real for _, _, real in whole.waits), "s"),
        ("most debt", reported.debt, max(look["debt"] for look in whole.looks), "submissions"),
        ("queue drained after", reported.drained, queued - began, "s"),
        ("all full checks done after", reported.checked, whole.drained - began, "s"),
    )
    return [
        Figure(
            "burst",
            f"predicted from a burst of {len(first.uploads):,}: {what}",
            Measure(real, unit),
            "predicted",
            Measure(foreseen, unit),
            foreseen / real if real else None,
            f"within {CLOSE:.0f} %",
            abs(foreseen - real) <= real * CLOSE / 100,
        )
        for what, foreseen, real, unit in pairs
    ]


def _memory(seen: Burst) -> list[Figure]:
    looks = [look["memory"] for look in seen.looks if "memory" in look]
    groups = sorted({group for look in looks for group in look})
    before, most = looks[0], {g: max(look.get(g, 0) for look in looks) for g in groups}
    whole = max(sum(look.values()) for look in looks)
    return [
        Figure(
            "burst",
            f"memory at its highest: {group}",
            Measure(most[group] / 1e6, "MB"),
            "before the burst",
            Measure(before.get(group, 0) / 1e6, "MB"),
        )
        for group in groups
    ] + [Figure("burst", "memory at its highest: whole stack", Measure(whole / 1e6, "MB"))]
