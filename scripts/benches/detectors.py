"""The detectors' quality on labelled texts and pictures, and their time per call."""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from models.rules.matcher.matcher import Matcher, RuleSpec
from models.rules.starter_list import load
from models.settings import ROOT, Settings
from models.verdict import Policy, action_of
from scripts.benches.figures import Figure, Measure
from scripts.benches.http import Plan
from scripts.benches.quality import Estimate, area, estimate, recall_at, share
from tasks import classifier
from tasks.detectors.base import IMAGE, TEXT, DetectorDown
from tasks.detectors.confirmation import confirm
from tasks.detectors.guard import Guard
from tasks.detectors.registry import TABLE
from tasks.images.decode import Limits, read
from tasks.images.limits import PictureError

BAD = {"1", "true", "yes", "bad", "toxic", "hateful", "spam"}
LABEL_COLUMNS = ("label", "gold", "toxic")
PICTURE_TYPES = {".jpg", ".jpeg", ".png", ".gif", ".webp"}
HARMLESS_PICTURES = ROOT / "tests" / "fixtures"
SHORT_TEXT = "You are an idiot, but the bicycle that you sell for 40 is a very nice one."
POLICY = Policy()
Texts = list[tuple[str, bool]]


def detectors(plan: Plan) -> list[Figure]:
    """Quality on the files of --texts and --pictures, and microseconds per call."""
    settings = Settings.load()
    guards = {name: guard for name in TABLE if (guard := _guard(name, settings))}
    figures: list[Figure] = []
    for path in plan.texts:
        figures += _texts(path, guards)
    for folder in plan.pictures or (HARMLESS_PICTURES,):
        figures += _pictures(folder, guards)
    figures += _times(guards, plan.rounds * 5)
    figures += [_memory(name) for name in guards]
    return figures


def _guard(name: str, settings: Settings) -> Guard | None:
    guard = Guard(TABLE[name].declared, partial(TABLE[name].load, settings))
    wrong = guard.warm_up()
    if wrong:
        print(f"detectors: {name} is left out: {wrong}", file=sys.stderr)
    return None if wrong else guard


def texts_of(path: Path) -> Texts:
    """(text, whether it is bad) of a CSV file with ``text`` and one of LABEL_COLUMNS."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = rows[0].keys() if rows else ()
    column = next((name for name in LABEL_COLUMNS if name in names), None)
    if column is None or "text" not in names:
        raise RuntimeError(f"{path}: needs the columns text and {' or '.join(LABEL_COLUMNS)}")
    return [(row["text"], row[column].strip().lower() in BAD) for row in rows]


def _texts(path: Path, guards: dict[str, Guard]) -> Iterator[Figure]:
    texts = texts_of(path)
    if len({bad for _, bad in texts}) < 2:
        raise RuntimeError(f"{path}: needs bad and good texts")
    for name, guard in guards.items():
        if TEXT in guard.declared.inputs:
            scores = [(_worst(guard, text), bad) for text, bad in texts]
            yield from _curve(name, path.stem, scores)
    specs = [RuleSpec(at, *row[:4]) for at, row in enumerate(r for r in load() if r[4])]
    matcher = Matcher(specs)
    hits = [(bool(list(matcher.find(text))), bad) for text, bad in texts]
    for bad, what in ((True, "bad texts matched"), (False, "good texts matched")):
        of = [hit for hit, its in hits if its is bad]
        yield _figure(f"starter rules, {path.stem}: {what}", share(sum(of), len(of)), len(of))


def _worst(guard: Guard, subject: Any) -> float:
    scores = guard.detect(subject).scores
    against = [s.score for s in scores if s.label not in guard.declared.harmless]
    return max(against, default=0.0)


def _curve(name: str, file: str, scores: Sequence[tuple[float, bool]]) -> Iterator[Figure]:
    bad = [score for score, its in scores if its]
    good = [score for score, its in scores if not its]
    of = len(scores)
    yield _figure(f"{name}, {file}: area under the curve", estimate(area, bad, good), of)
    recall = estimate(recall_at, bad, good)
    yield _figure(f"{name}, {file}: bad found at 5 % false alarms", recall, of)


def _pictures(folder: Path, guards: dict[str, Guard]) -> Iterator[Figure]:
    """Of harmless pictures: how many each network flags, and both together."""
    guard, views = guards.get("nsfw_mobilenet"), list(_views(folder))
    first = [max(_open_nsfw().score(each)) for each in views]
    flagged = [score >= POLICY.review_at for score in first]
    of, where = len(views), folder.name
    yield _figure(f"open_nsfw, {where}: harmless pictures flagged", share(sum(flagged), of), of)
    if guard is None:
        return
    second = [_worst(guard, each[:8]) >= POLICY.review_at for each in views]
    yield _figure(f"nsfw_mobilenet, {where}: harmless pictures flagged", share(sum(second), of), of)
    rejected = [action_of(score, POLICY) == "reject" for score in first]
    both = [_both(guard, s, each[:8]) for s, each in zip(first, views, strict=True)]
    for what, held in (("open_nsfw alone", rejected), ("confirmed by nsfw_mobilenet", both)):
        yield _figure(f"{what}, {where}: harmless pictures rejected", share(sum(held), of), of)


def _both(guard: Guard, score: float, views: Sequence[Image.Image]) -> bool:
    second = {each.label: each.score for each in guard.detect(views).scores}
    return confirm(action_of(score, POLICY), second, POLICY).action == "reject"


def _views(folder: Path) -> Iterator[list[Image.Image]]:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_TYPES)
    for path in paths:
        try:
            yield [frame.image for frame in read(path, Limits()).views]
        except PictureError as error:
            print(f"detectors: {path.name} is left out: {error}", file=sys.stderr)


def _open_nsfw() -> classifier.Classifier:
    return _engines.setdefault("onnx", classifier.load("onnx"))


_engines: dict[str, classifier.Classifier] = {}


def _times(guards: dict[str, Guard], rounds: int) -> Iterator[Figure]:
    picture = [Image.open(HARMLESS_PICTURES / "safe_coffee.jpg").convert("RGB").resize((256, 256))]
    network = _microseconds(lambda: _open_nsfw().score(picture), rounds)
    yield Figure("detectors", "open_nsfw: CPU time of one picture", Measure.of(network, "µs"))
    for name, guard in guards.items():
        subject = picture if IMAGE in guard.declared.inputs else SHORT_TEXT
        one = "picture" if subject is picture else "text of 74 characters"
        times = _microseconds(lambda: guard.detect(subject), rounds)  # noqa: B023
        beside = subject is picture
        ratio = statistics.median(network) / statistics.median(times) if beside else None
        yield Figure(
            "detectors", f"{name}: CPU time of one {one}", Measure.of(times, "µs"),
            "open_nsfw" if beside else "", Measure.of(network, "µs") if beside else None, ratio,
        )  # fmt: skip


def _microseconds(call: Callable[[], object], rounds: int) -> list[float]:
    """The mean CPU time of a call, in each of ``rounds`` rounds of about 50 ms.

    CPU time of all threads, because other processes may share the cores.
    """
    started = time.process_time()
    call()
    many = max(1, int(0.05 / max(1e-6, time.process_time() - started)))
    found = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(many):
            call()
        found.append((time.process_time() - started) / many * 1e6)
    return found


def _memory(name: str) -> Figure:
    """What a process grows by when it loads a detector and asks it once."""
    program = (
        "import sys, psutil, onnxruntime, PIL.Image\n"
        "from functools import partial\n"
        "from models.settings import Settings\n"
        "from tasks.detectors.guard import Guard\n"
        "from tasks.detectors.registry import TABLE\n"
        "entry, own = TABLE[sys.argv[1]], psutil.Process()\n"
        "before = own.memory_info().rss\n"
        "wrong = Guard(entry.declared, partial(entry.load, Settings.load())).warm_up()\n"
        "print(wrong or (own.memory_info().rss - before) / 1e6)"
    )
    done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True)
    try:
        grown = float(done.stdout)
    except ValueError as error:
        raise DetectorDown(f"{name}: {done.stdout or done.stderr}") from error
    return Figure("detectors", f"{name}: memory of a process that asks it", Measure(grown, "MB"))


def _figure(what: str, found: Estimate, of: int) -> Figure:
    measure = Measure(found.value, "", found.low, found.high, rounds=of)
    return Figure("detectors", what, measure, note=NOTE)


NOTE = "of quality, the spread is the 95 % interval of the value for this many texts or pictures"
