"""The detection endpoint: throughput with one and with many parallel requests."""

from __future__ import annotations

import re
import urllib.request

from scripts._own_stack import Stack, stack
from scripts.benches.figures import Figure, Measure, against, percentile
from scripts.benches.http import Plan
from scripts.benches.load import Run, detection, drive

AT_ONCE = (1, 8, 32)
NOTE = (
    "one worker; each request has one picture of 100 KB and waits for its score, so that one after"
    " the other every picture goes through the network alone"
)


def detect(plan: Plan) -> list[Figure]:
    """Pictures scored per second with 1, 8 and 32 parallel requests, beside sequential ones."""
    runs: dict[int, list[Run]] = {many: [] for many in AT_ONCE}
    batches: dict[int, list[float]] = {many: [] for many in AT_ONCE}
    with stack(plan.work / "detect", WORKERS=1, PRIORITY_WORKERS=0) as server:
        ask = detection(server.key, plan.picture.read_bytes())
        drive(server.settings.port, ask, count=20, connections=4).require_success()
        for _ in range(plan.rounds):
            for many in AT_ONCE:
                before = _batches(server)
                run = drive(server.settings.port, ask, count=plan.count // 4, connections=many)
                runs[many].append(run.require_success())
                batches[many].append(_mean(before, _batches(server)))
    return [figure for many in AT_ONCE for figure in _figures(many, runs, batches[many])]


def _figures(many: int, runs: dict[int, list[Run]], batches: list[float]) -> list[Figure]:
    rates = {number: [run.rate for run in found] for number, found in runs.items()}
    if many == 1:
        what = "one request after the other"
        first = Figure("detect", what, Measure.of(rates[1], "images/s"), note=NOTE)
    else:
        what = f"{many} requests at once"
        first = against(
            "detect", what, rates[many], "images/s", ("one after the other", rates[1]),
            least=1.0, goal="≥ 1 ×",
        )  # fmt: skip
    waits = [percentile([1e3 * r.seconds for r in run.replies], 0.95) for run in runs[many]]
    return [
        first,
        Figure("detect", f"{what}: answer, p95", Measure.of(waits, "ms")),
        Figure("detect", f"{what}: pictures in one batch of the network", Measure.of(batches, "")),
    ]


def _batches(server: Stack) -> tuple[float, float]:
    """The network's batches so far, and the pictures in them."""
    with urllib.request.urlopen(f"{server.settings.url}/metrics") as answer:  # nosec B310
        text = answer.read().decode()
    found = [
        re.search(rf"^sluice_inference_batch_size_{name}\S* (\S+)$", text, re.M)
        for name in ("count", "sum")
    ]
    count, pictures = (float(each[1]) if each else 0.0 for each in found)
    return count, pictures


def _mean(before: tuple[float, float], after: tuple[float, float]) -> float:
    return (after[1] - before[1]) / max(1.0, after[0] - before[0])
