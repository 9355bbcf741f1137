"""Replay equals live: on the same findings, submission by submission, and its figures."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.stack import ROOT, Stack


def test_replay_decides_as_live_item_for_item(stack: Stack) -> None:
    command = [sys.executable, "-m", "tests.support.replayed"]
    done = subprocess.run(command, env=stack.env, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["total"] == [5000, 5000]
    replayed, live, same = told["changed"]
    assert replayed == live > 500 and same, "the policies differ"
    for figure in ("missed", "flagged", "avatar"):
        assert told[figure][0] == told[figure][1], figure
    assert told["examples"] == [50, True]
