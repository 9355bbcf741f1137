"""Every script is one verb that explains itself and fails loudly."""

import os
import subprocess

import pytest

from tests.support.stack import ROOT, SCRIPTS

VERBS = sorted(p for p in SCRIPTS.iterdir() if p.is_file() and p.name[0] != "_" and not p.suffix)


@pytest.mark.parametrize("path", VERBS, ids=lambda path: path.name)
class TestVerb:
    def test_it_can_be_run(self, path):
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env bash\n")

    def test_it_stops_at_the_first_failure(self, path):
        assert "\nset -euo pipefail\n" in path.read_text()

    def test_its_help_has_usage_and_example(self, path):
        told = subprocess.run([path, "--help"], capture_output=True, text=True, cwd="/")
        assert told.returncode == 0
        assert f"Usage: scripts/{path.name}" in told.stdout
        assert f"scripts/{path.name}" in told.stdout.partition("Example:")[2]

    def test_bash_can_read_it(self, path):
        subprocess.run(["bash", "-n", path], check=True)


def test_ci_runs_the_tests():
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert "scripts/test" in path.read_text()


def test_shared_parts_cannot_be_run_by_mistake():
    for path in SCRIPTS.glob("_*"):
        assert not path.is_file() or not os.access(path, os.X_OK), path
