"""Two clients: one floods the server, the other sends one upload a second.

What is measured is the quiet client's: its answers beside those on an idle server, and its modes.
"""

from __future__ import annotations

import itertools
import json
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from PIL import Image

from models.settings import ROOT
from scripts._own_stack import Stack, stack
from scripts.benches.figures import Figure, Measure, percentile
from scripts.benches.http import Plan
from scripts.benches.load import BenchConnection, Maker, Reply, detection, post, upload

LARGE_JPEG = ROOT / "tests" / "fixtures" / "reject_b_13mp.jpg"
PNG_SIDE = 6300  # pixels: 39.7 megapixels, just below MAX_PIXELS
CONNECTIONS = 20  # of the client that floods
FIRST = 2.0  # seconds of the flood before the quiet client is measured
DRAINED = 60.0  # seconds at most until a flood is worked off
PERCENTILES = (("p50", 0.5), ("p95", 0.95))
SETTLE = (
    "UPDATE submission SET review_owed = false, verdict = 'review', status = 'decided'"
    " WHERE verdict IS NULL OR review_owed RETURNING 1"
)
MOST = 2.0  # times of idle that the quiet client's answers may take
NOTE = (
    f"the default processes; one client keeps {CONNECTIONS} connections busy and ignores"
    " Retry-After, another one sends a 100 KB JPEG a second"
)


@dataclass
class Seen:
    """The responses to both clients in one round, and the seconds that it lasted."""

    quiet: list[Reply] = field(default_factory=list)
    flood: list[Reply] = field(default_factory=list)
    seconds: float = 0.0

    def milliseconds(self, share: float) -> float:
        """A percentile of the quiet client's times."""
        return percentile([1000 * reply.seconds for reply in self.quiet], share)

    @property
    def modes(self) -> str:
        """The quiet client's answers: mode and status with their number."""
        counts = Counter(_how(reply) for reply in self.quiet)
        return ", ".join(f"{count} × {how}" for how, count in counts.most_common())


def fair(plan: Plan) -> list[Figure]:
    """A quiet client's sync verdicts beside another client's flood, and its modes."""
    seconds = 6.0 if plan.rounds == 1 else 20.0
    with stack(plan.work / "fair") as server:
        flooding = json.loads(server.script("client", "create", "Flood", "--json"))["key"]
        quiet = upload(server.key, jpeg=plan.picture.read_bytes())
        for _ in range(5):
            BenchConnection(server.settings.port).ask(quiet())
        idle = _round(server, quiet, None, seconds)
        figures = [
            Figure("fair", f"idle: p50 ({idle.modes})", Measure(idle.milliseconds(0.5), "ms")),
            Figure("fair", "idle: p95", Measure(idle.milliseconds(0.95), "ms")),
        ]
        for name, make in _floods(flooding, plan).items():
            seen = _round(server, quiet, make, seconds)
            figures += _beside(name, seen, idle)
            _until_drained(server)
    return figures


def _floods(key: str, plan: Plan) -> dict[str, Maker]:
    png = _large_png(plan.work / "large.png")
    jpeg = LARGE_JPEG.read_bytes()
    numbers = itertools.count(time.time_ns())
    return {
        "40-MP PNGs to detect": lambda: post(key, {}, unique_png(png, next(numbers)), "detect"),
        "40-MP PNGs": lambda: post(
            key, {"user_id": f"flood-{next(numbers) % 1000}"}, unique_png(png, next(numbers))
        ),
        "13-MP JPEGs": upload(key, jpeg=jpeg),
        "13-MP JPEGs to detect": detection(key, jpeg),
        "100 KB JPEGs": upload(key, jpeg=plan.picture.read_bytes()),
        "texts": upload(key, text="Solid oak table, seats six, two small scratches."),
    }


def _round(server: Stack, quiet: Maker, flood: Maker | None, seconds: float) -> Seen:
    """Measure the quiet client for some seconds, beside the flood."""
    seen, port = Seen(), server.settings.port
    with _flooding(port, flood, seen.flood):
        if flood is not None:
            time.sleep(FIRST)
        started = time.monotonic()
        line = BenchConnection(port)
        for second in range(int(seconds)):
            time.sleep(max(0.0, started + second - time.monotonic()))
            seen.quiet.append(line.ask(quiet()))
        seen.seconds = time.monotonic() - started
    return seen


@contextmanager
def _flooding(port: int, make: Maker | None, replies: list[Reply]) -> Iterator[None]:
    """Keep the connections busy for the block; ``make`` may be None for no flood."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=_converse, args=(port, make, replies, stop), daemon=True)
        for _ in range(CONNECTIONS if make else 0)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _converse(
    port: int, make: Callable[[], bytes], replies: list[Reply], stop: threading.Event
) -> None:
    line = None
    while not stop.is_set():
        try:
            line = line or BenchConnection(port)
            replies.append(line.ask(make()))
        except OSError:
            line = None
            continue
        if line.ended:
            line = None


def _beside(name: str, seen: Seen, idle: Seen) -> list[Figure]:
    statuses = Counter(reply.status for reply in seen.flood)
    flood = ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))
    what = f"beside a flood of {name}"
    figures = [_times(what, label, share, seen, idle) for label, share in PERCENTILES]
    odd = sum(_how(reply) != "sync 200" for reply in seen.quiet)
    answers = f"{what}: answers that are no sync verdict ({seen.modes}; the flood: {flood})"
    return [*figures, Figure("fair", answers, Measure(odd, ""), goal="0", met=odd == 0)]


def _times(what: str, label: str, share: float, seen: Seen, idle: Seen) -> Figure:
    now, then = seen.milliseconds(share), idle.milliseconds(share)
    return Figure(
        "fair", f"{what}: {label}", Measure(now, "ms"), "idle", Measure(then, "ms"),
        then / now, f"≤ {MOST:g} × idle", now <= MOST * then, NOTE,
    )  # fmt: skip


def _until_drained(server: Stack) -> None:
    """Wait until the flood's jobs and debts are done."""
    end = time.monotonic() + DRAINED
    open_rows = "SELECT count(*) FROM submission WHERE verdict IS NULL OR review_owed"
    while server.query(open_rows)[0][0] and time.monotonic() < end:
        time.sleep(0.5)
    server.query(SETTLE)
    time.sleep(2.0)


def _how(reply: Reply) -> str:
    mode = json.loads(reply.body).get("mode", "") if reply.status in (200, 202) else ""
    return f"{mode} {reply.status}".strip()


def _large_png(path: Path) -> bytes:
    """A picture of 40 megapixels that takes as long to decode as a photograph."""
    if not path.exists():
        with Image.open(LARGE_JPEG) as opened:
            opened.convert("RGB").quantize(32).resize((PNG_SIDE, PNG_SIDE)).convert("RGB").save(
                path, "PNG", compress_level=6
            )
    return path.read_bytes()


def unique_png(png: bytes, number: int) -> bytes:
    """The same picture with different bytes: a text chunk with a number, behind the header."""
    body = b"tEXt" + b"Comment\0" + f"{number:032x}".encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with BytesIO(png) as file:
        head = file.read(33)  # the signature, and IHDR
        return head + chunk + file.read()
