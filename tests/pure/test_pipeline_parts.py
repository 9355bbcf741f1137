"""What stands beside the pipeline: prefetching and group commit; pure. And how its file reads."""

from __future__ import annotations

import ast
import threading

import pytest

from models.moderation.record_verdicts import Outcome
from models.settings import ROOT, Settings, use_settings
from models.submissions.submission import Submission
from models.verdict import APPROVED, Judgement, Policy
from tasks.moderation.group_commit import GroupCommit
from tasks.moderation.prefetch import Prefetch


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setattr("models.settings.process._current", None)
    use_settings(Settings())


class Commits:
    """Commits that are noted with their thread; a number below 0 fails."""

    def __init__(self):
        self.made = []

    def __call__(self, outcomes, trace):
        numbers = [int(outcome.judgement.score) for outcome in outcomes]
        self.made.append((numbers, threading.current_thread() is threading.main_thread(), trace))
        return [ValueError(number) for number in numbers if number < 0]


def outcome(number):
    submission = Submission(traceparent=f"trace {number}")
    return Outcome(submission, "lease", Judgement(APPROVED, (), float(number)), Policy())


def test_the_next_is_made_on_a_thread_so_many_times():
    threads = []

    def make():
        threads.append(threading.current_thread())
        return len(threads)

    prefetch = Prefetch(make, times=2)
    assert prefetch.start()
    assert prefetch.result() == 1
    assert prefetch.start()
    assert prefetch.result() == 2
    assert not prefetch.start()
    assert threading.main_thread() not in threads


def test_the_error_of_the_next_is_raised_when_it_is_asked_for():
    def make():
        raise LookupError("gone")

    prefetch = Prefetch(make, times=1)
    assert prefetch.start()
    with pytest.raises(LookupError, match="gone"):
        prefetch.result()
    with pytest.raises(RuntimeError):  # nothing else was started
        prefetch.result()


def test_what_is_left_is_committed_together_at_the_end_of_the_block():
    commits = Commits()
    with GroupCommit(commits) as group:
        for number in (1, -2, 3):
            group.add(outcome(number))
    assert commits.made == [([1, -2, 3], True, None)]
    assert [str(error) for error in group.errors] == ["-2"]


def test_what_is_sent_is_committed_on_a_thread_in_the_trace_of_its_first():
    commits = Commits()
    with GroupCommit(commits) as group:
        group.add(outcome(-1))
        group.add(outcome(2))
        group.send()
        group.send()  # nothing is left
    assert commits.made == [([-1, 2], False, "trace -1")]
    assert [str(error) for error in group.errors] == ["-1"]


def test_an_error_in_the_block_loses_no_outcome():
    commits = Commits()
    with pytest.raises(LookupError), GroupCommit(commits) as group:
        group.add(outcome(1))
        raise LookupError
    assert commits.made == [([1], True, None)]


def test_the_steps_of_the_pipeline_stand_below_it_in_their_order():
    tree = ast.parse((ROOT / "tasks/moderation/pipeline.py").read_text("utf-8"))
    places = {node.name: node.lineno for node in tree.body if isinstance(node, ast.FunctionDef)}
    [story] = [node for node in tree.body if getattr(node, "name", "") == "moderate"]
    called = [
        node.id for node in ast.walk(story) if isinstance(node, ast.Name) and node.id in places
    ]
    steps = sorted(set(called), key=lambda name: places[name])
    assert places["moderate"] < min(places[name] for name in steps)
    first_use = [
        "jobs_of", "attempt", "check", "decode_ahead", "judge_findings", "draw_thumbnails",
        "outcome_of", "commit_and_announce",
    ]  # fmt: skip
    assert steps == first_use
