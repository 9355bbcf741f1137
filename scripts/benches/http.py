"""What a client measures: uploads per second, latency of fast-track, latency of sync mode."""

from __future__ import annotations

import csv
import random
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.settings import ROOT
from scripts._own_stack import Stack, stack
from scripts.benches.cpu import Spent, per_request
from scripts.benches.figures import Figure, Measure, against, at_most, percentile
from scripts.benches.load import Maker, Reply, drive, image_body, picture_file, upload
from scripts.benches.stack import bare
from scripts.benches.terms import terms_of
from tasks.classifier import load
from tasks.images.decode import Limits, read

FIXTURE = ROOT / "tests" / "fixtures" / "safe_astronaut.jpg"
TEXT = "Solid oak table, seats six, two small scratches; collection only, cash please. "
ENDLESS = 10_000_000  # jobs; a depth that is never reached
FILLING = {  # uploads with pictures are only accepted; workers are started by hand
    "MODERATION_IMAGE_ASYNC": "on",
    "FAST_TRACK_DEPTH": ENDLESS,
    "MAX_QUEUE_SIZE": ENDLESS,
    "WORKERS": 0,
    "PRIORITY_WORKERS": 0,
}
RULES = 10_000


@dataclass(frozen=True)
class Plan:
    """The size of a run: ``rounds`` of ``count`` requests, in a temporary folder.

    ``texts`` and ``pictures`` are the files and folders that detectors are measured on.
    """

    work: Path
    rounds: int
    count: int
    texts: tuple[Path, ...] = ()
    pictures: tuple[Path, ...] = ()

    @property
    def picture(self) -> Path:
        """A JPEG of 100 KB."""
        path = self.work / "picture.jpg"
        return path if path.exists() else picture_file(path, FIXTURE)


def intake(plan: Plan) -> list[Figure]:
    """Uploads per second in ``async`` mode and CPU time, alternating with the bare handler."""
    jpeg = plan.picture.read_bytes()
    with (
        stack(plan.work / "intake", **FILLING) as server,
        bare(plan.work / "bare", server.settings.web_instances) as other,
    ):
        ours = {name: server.pids(name) for name in ("web", "nginx", "postgres", "redis")}
        form, body = upload(server.key, jpeg=jpeg), image_body(server.key, jpeg)
        roads = {
            "bare": _Road(other.port, form, other.pids),
            "form": _Road(server.settings.port, form, ours),
            "image as the body": _Road(server.settings.port, body, ours),
        }
        for road in roads.values():
            drive(road.port, road.make, count=100, connections=8)
        for _ in range(plan.rounds):
            for road in roads.values():
                road.go(plan.count)
    yardstick = roads.pop("bare")
    note = (
        "no worker runs, so the web has the cores; rounds of"
        f" {plan.count} uploads in turns; the load generator shares the cores with all;"
        " CPU time is what other work on the machine changes least"
    )
    return [
        figure for name, road in roads.items() for figure in _beside(yardstick, name, road, note)
    ]


@dataclass
class _Road:
    """One kind of upload: its port, requests, processes and measurements."""

    port: int
    make: Maker
    pids: dict[str, list[int]]
    rates: list[float] = field(default_factory=list)
    costs: list[Spent] = field(default_factory=list)

    def go(self, count: int) -> None:
        """One round."""
        self.costs.append(
            per_request(
                self.pids,
                count,
                lambda: self.rates.append(_uploads(self.port, self.make, count)),
            )
        )

    @property
    def whole(self) -> list[float]:
        """CPU milliseconds per upload of all processes, by round."""
        return [sum(cost.values()) for cost in self.costs]

    @property
    def parts(self) -> str:
        """CPU milliseconds per upload of each process, as text."""
        names = self.costs[0]
        middle = {name: statistics.median(cost[name] for cost in self.costs) for name in names}
        return ", ".join(f"{name} {value:.2f}" for name, value in middle.items())


def _beside(yardstick: _Road, name: str, road: _Road, note: str) -> list[Figure]:
    what = f"100 KB JPEGs, async, 16 connections, {name}"
    bare_cpu = Measure.of(yardstick.whole, "ms")
    ours = Measure.of(road.whole, "ms")
    return [
        against(
            "intake",
            what,
            road.rates,
            "uploads/s",
            ("bare Flask + gevent that only saves the file", yardstick.rates),
            least=0.5,
            goal="≥ 0.5 × (then 1.0 ×)",
            note=note,
        ),
        Figure(
            "intake",
            f"{what}: CPU time ({road.parts})",
            ours,
            f"bare handler ({yardstick.parts})",
            bare_cpu,
            statistics.median(b / a for a, b in zip(road.whole, yardstick.whole, strict=True)),
        ),
    ]


def _uploads(port: int, make: Maker, count: int) -> float:
    return drive(port, make, count=count, connections=16).require_success().rate


def fast_track(plan: Plan) -> list[Figure]:
    """``Server-Timing`` of fast-track uploads, one at a time and in parallel."""
    jpeg = plan.picture.read_bytes()
    settings = {
        "SYNC_MAX_DEPTH": 1,
        "FAST_TRACK_DEPTH": 1,
        "MAX_QUEUE_SIZE": ENDLESS,
        "WORKERS": 0,
        "PRIORITY_WORKERS": 0,
    }
    with stack(plan.work / "fast_track", **settings) as server:
        server.script("rules", "import", str(_rules_file(plan.work / "rules.csv")))
        text, both = upload(server.key, text=TEXT * 12), upload(server.key, text=TEXT, jpeg=jpeg)
        _until_fast(server, text)
        return [
            *_timed(plan, server, "1 KB text", text, 1),
            *_timed(plan, server, "text and 100 KB JPEG", both, 1),
            *_timed(plan, server, "text and 100 KB JPEG", both, 16),
        ]


def _rules_file(path: Path) -> Path:
    terms = terms_of(random.Random(1), RULES)  # nosec B311
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("kind", "pattern", "action", "label"))
        for term in dict.fromkeys(terms):
            writer.writerow(("phrase" if " " in term else "word", term, "review", "other"))
    return path


def _until_fast(server: Stack, make: Maker) -> None:
    """Enqueue jobs until the mode is ``fast_track``, and wait until every process has the rules."""
    drive(server.settings.port, make, count=4, connections=4)
    time.sleep(2)
    for _ in range(5):
        drive(server.settings.port, make, count=40, connections=4).require_success()
    [(answered,)] = server.query("SELECT mode FROM submission ORDER BY created_at DESC LIMIT 1")
    if answered != "fast_track":
        raise RuntimeError(f"the mode is {answered}, not fast_track")


def _timed(plan: Plan, server: Stack, what: str, make: Maker, connections: int) -> list[Figure]:
    rounds = [
        drive(server.settings.port, make, count=plan.count // 2, connections=connections)
        .require_success()
        .replies
        for _ in range(plan.rounds)
    ]
    how = "one at a time" if connections == 1 else f"{connections} at once"
    what = f"{what}, {how}"
    note = "no worker runs; 'handling' is the total without reading the body"
    whole = [_percentile(replies, 0.95) for replies in rounds]
    middle = [_percentile(replies, 0.5) for replies in rounds]
    inner = [_percentile(replies, 0.95, handling=True) for replies in rounds]
    return [
        at_most("fast_track", f"{what}: total p95", whole, "ms", 5, note),
        Figure("fast_track", f"{what}: total p50", Measure.of(middle, "ms")),
        Figure("fast_track", f"{what}: handling p95", Measure.of(inner, "ms")),
    ]


def _percentile(replies: Sequence[Reply], share: float, *, handling: bool = False) -> float:
    return percentile(
        [r.span("total") - (r.span("receive") if handling else 0.0) for r in replies], share
    )


def sync(plan: Plan) -> list[Figure]:
    """The latency of a verdict on an idle stack, alternating with one process and the picture."""
    engine, limits = load("onnx"), Limits()

    def alone() -> float:
        started = time.perf_counter()
        engine.score([view.image for view in read(plan.picture, limits).views])
        return time.perf_counter() - started

    ours, others = [], []
    with stack(plan.work / "sync") as server:
        make = upload(server.key, jpeg=plan.picture.read_bytes())
        drive(server.settings.port, make, count=12, connections=2).require_success()
        alone()
        for _ in range(plan.rounds):
            answers = drive(server.settings.port, make, count=25, connections=1)
            ours.append(1000 * _median(r.seconds for r in answers.require_success().replies))
            others.append(1000 * _median(alone() for _ in range(25)))
    ratio = statistics.median(mine / other for mine, other in zip(ours, others, strict=True))
    return [
        Figure(
            "sync",
            "verdict of a 100 KB JPEG, end to end, p50",
            Measure.of(ours, "ms"),
            "decode and classify in one process",
            Measure.of(others, "ms"),
            ratio,
            "≤ 1.5 ×",
            ratio <= 1.5,
            "lower is better; the default processes, one upload at a time",
        )
    ]


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
