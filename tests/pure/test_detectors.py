"""A detector that fails in any way fails alone: one clear error, and the caller is not held."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import circuit_breaker
from models.errors import SettingError
from models.settings import ROOT, Settings
from models.settings.detectors import DETECTORS
from tasks.detectors.base import (
    MOST_EVIDENCE,
    MOST_SCORES,
    REASONS,
    Declaration,
    DetectorDown,
    DetectorInvalid,
    Score,
    checked,
)
from tasks.detectors.guard import Guard
from tasks.detectors.lane import Lane
from tasks.detectors.registry import TABLE, guards
from tasks.observability import metrics
from tests.support.stack import wait_until

DECLARED = Declaration(
    name="sample", title="Sample", labels=("spam", "fine"), inputs=("text",), cost=1,
    version="1", deadline=30, harmless=("fine",),
)  # fmt: skip
SHORT = Declaration(
    name="sample", title="Sample", labels=("spam",), inputs=("text",), cost=1, version="1",
    deadline=0.05,
)  # fmt: skip
GOOD = [("spam", 0.9, {"why": "links"}), ("fine", 0.1, {})]


class Sample:
    """A detector that answers what the test says."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer, self.asked = answer, 0

    def detect(self, subject: Any) -> Any:
        self.asked += 1
        return self.answer(subject)


def guard(answer: Callable[[Any], Any], declared: Declaration = DECLARED) -> Guard:
    return Guard(declared, lambda: Sample(answer))


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "EVERY", 0.01)


def count(name: str, **labels: str) -> float:
    value = metrics.meters().registry.get_sample_value(name, {"detector": "sample", **labels})
    return value or 0.0


def test_a_good_answer_is_scores_with_evidence() -> None:
    answer = guard(lambda _: GOOD).detect("text")
    assert answer.scores == (Score("spam", 0.9, {"why": "links"}), Score("fine", 0.1, {}))
    assert answer.error == ""


def test_a_generator_does_its_work_within_the_deadline() -> None:
    def answer(_: Any) -> Iterator[Any]:
        yield from GOOD

    assert len(guard(answer).detect("text").scores) == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "answered None, not a list of scores"),
        (0.7, "answered 0.7, not a list of scores"),
        ("spam", "answered 'spam', not a list of scores"),
        ({"spam": 0.7}, "not a list of scores"),
        ([0.7], "each entry must be label, score, evidence"),
        ([("spam", 0.7)], "each entry must be label, score, evidence"),
        ([("violence", 0.7, {})], "the label 'violence', which it does not declare; it declares"),
        ([(3, 0.7, {})], "the label 3, which it does not declare"),
        ([("spam", 1.01, {})], "scored spam at 1.01; a score is from 0 to 1"),
        ([("spam", -0.1, {})], "a score is from 0 to 1"),
        ([("spam", float("nan"), {})], "scored spam at nan"),
        ([("spam", True, {})], "scored spam at True"),
        ([("spam", "high", {})], "scored spam at 'high'"),
        ([("spam", 0.5, None)], "evidence for spam is no JSON object"),
        ([("spam", 0.5, {"at": object()})], "evidence for spam is no JSON object"),
        ([("spam", 0.5, {"x": "y" * MOST_EVIDENCE})], f"at most {MOST_EVIDENCE} bytes"),
        ([("spam", 0.5, {})] * (MOST_SCORES + 1), f"more than {MOST_SCORES} scores"),
    ],
)
def test_an_invalid_answer_is_named(answer: Any, says: str) -> None:
    with pytest.raises(DetectorInvalid, match="sample") as raised:
        checked(DECLARED, answer)
    assert says in str(raised.value)
    given = guard(lambda _: answer).detect("text")
    assert (given.scores, says in given.error) == ((), True)


@pytest.mark.parametrize("error", [ValueError("bad weights"), SystemExit(3), MemoryError()])
def test_an_error_is_named_and_stays_inside(error: BaseException) -> None:
    def answer(_: Any) -> Any:
        raise error

    given = guard(answer).detect("text")
    assert given.error.startswith(f"sample failed: {type(error).__name__}")


def test_an_error_on_one_text_does_not_stop_the_next() -> None:
    def answer(subject: Any) -> Any:
        if subject == "odd":
            raise ValueError("odd")
        return GOOD

    its = guard(answer)
    assert its.detect("odd").error and its.detect("even").scores
    wait_until(lambda: not its._verifying.locked())
    assert not its.trouble


def test_a_detector_that_always_fails_is_not_asked_until_it_works() -> None:
    works = threading.Event()

    def answer(_: Any) -> Any:
        return GOOD if works.is_set() else None

    its = guard(answer)
    its.detect("text")
    wait_until(lambda: its.trouble)
    assert "sample is not asked: cannot be asked: sample answered None" in its.detect("text").error
    works.set()
    wait_until(lambda: not its.trouble)
    assert its.detect("text").scores


def test_one_that_never_answers_holds_one_thread_and_no_caller() -> None:
    ends = threading.Event()

    def answer(subject: Any) -> Any:
        if subject:
            ends.wait()
        return [("spam", 0.5, {})]

    its = guard(answer, SHORT)
    before = threading.active_count()
    assert its.detect("text").error == "sample did not answer within 0.05 s."
    wait_until(lambda: its.trouble)
    for _ in range(20):
        assert "has not ended an earlier call" in its.detect("text").error
    assert threading.active_count() <= before + 3  # its own, the breaker's two
    ends.set()
    wait_until(lambda: not its.trouble)
    assert its.detect("").scores


def test_a_call_that_waits_behind_a_late_one_is_late_itself_and_is_not_made() -> None:
    begun, ends, made = threading.Event(), threading.Event(), []
    lane = Lane("sample")

    def hold() -> None:
        begun.set()
        ends.wait()

    first = threading.Thread(target=lambda: lane.call(hold, 60), daemon=True)
    first.start()
    begun.wait()
    with pytest.raises(Exception, match="did not answer within"):
        lane.call(lambda: made.append("second"), 0.01)
    ends.set()
    first.join()
    assert lane.call(lambda: "third", 60) == "third"
    assert made == []


def test_loading_is_tried_again_after_it_failed() -> None:
    there = threading.Event()

    def load() -> Sample:
        if not there.is_set():
            raise DetectorDown("The model file is missing.")
        return Sample(lambda _: GOOD)

    its = Guard(DECLARED, load)
    assert its.detect("text").error == "The model file is missing."
    there.set()
    wait_until(lambda: its.detect("text").scores)


def test_calls_failures_and_flags_are_counted() -> None:
    names = ("calls_total", "failures_total", "flags_total")
    calls, failures, flags = (f"sluice_detector_{name}" for name in names)
    before = count(calls), count(failures, reason="invalid"), count(flags, label="spam")
    its = guard(lambda subject: GOOD if subject != "bad" else "?")
    its.detect("text")
    its.detect("bad")
    wait_until(lambda: not its._verifying.locked())
    after = count(calls), count(failures, reason="invalid"), count(flags, label="spam")
    assert [one - other for one, other in zip(after, before, strict=True)] == [2, 1, 1]
    assert count(flags, label="fine") == 0  # harmless labels are no flags
    assert set(metrics.DETECTOR_FAILURES) == set(REASONS)


def test_the_table_the_settings_and_the_metrics_name_the_same() -> None:
    for name, entry in TABLE.items():
        declared = entry.declared
        assert declared.name == name
        assert set(declared.labels) - set(declared.harmless) == set(DETECTORS[name])
        assert hasattr(Settings, f"detector_{name}")
    assert TABLE.keys() == DETECTORS.keys()


def test_the_cheapest_is_asked_first_and_off_is_not_asked(
    tmp_path: Path, use: Callable[..., Settings]
) -> None:
    use()
    assert list(guards()) == []
    use(DETECTOR_NSFW_MOBILENET="shadow", DETECTOR_TOXICITY="shadow")
    assert list(guards()) == ["toxicity", "nsfw_mobilenet"]
    use(DETECTOR_NSFW_MOBILENET="shadow")
    assert list(guards()) == ["nsfw_mobilenet"]


@pytest.fixture
def use(tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    from models.settings import process

    before = process._current

    def make(**values: str) -> Settings:
        return process.use_settings(Settings.load({"SLUICE_HOME": str(tmp_path), **values}))

    yield make
    process._current = before


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DETECTOR_TOXICITY", "loud", "must be one of off, shadow, on"),
        ("DETECTOR_NSFW_MOBILENET", "yes", "must be one of off, shadow, on"),
        ("DETECTOR_NSFW_MOBILENET_ASKED", "some", "must be one of flagged, all"),
        ("DETECTOR_MODELS", "models", "must be an absolute path"),
    ],
)
def test_an_invalid_setting_is_named(tmp_path: Path, name: str, value: str, says: str) -> None:
    with pytest.raises(SettingError, match=f"{name}.*{says}"):
        Settings.load({"SLUICE_HOME": str(tmp_path), name: value})


def test_a_table_of_detectors_that_are_off_imports_nothing_heavy() -> None:
    program = (
        "import sys, tasks.detectors.registry as r; from models.settings import *;"
        "use_settings(Settings.load({'SLUICE_HOME': '/nowhere'})); assert r.guards() == {};"
        "print([n for n in ('onnxruntime', 'tasks.detectors.toxicity',"
        " 'tasks.detectors.nsfw_mobilenet') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
