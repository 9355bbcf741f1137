"""`scripts/faults` tries what docs/reliability.md promises; the short trials run here."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import ROOT, SCRIPTS

SHORT = (
    "worker-kill",
    "redis-kill",
    "redis-flush",
    "redis-hang",
    "postgres-immediate",
    "postgres-hang",
    "web-kill",
    "upload-kill",
    "webhook-kill",
    "deploy",
)


def faults(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPTS / "faults"), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, start_new_session=True, **pipes) as process:
        try:
            output, error = process.communicate(timeout=900)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)  # the trials stop their stacks
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, error)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What was found of a fault, by its name."""
    folder = tmp_path_factory.mktemp("faults")
    told = faults(folder, "--quick", "--at-once", "3", *SHORT, "--json", "found.json")
    assert (folder / "found.json").exists(), told.stderr
    found = {result["fault"]: result for result in json.loads((folder / "found.json").read_text())}
    for name in found:
        assert f"| {name} " in told.stdout
    return lambda name: found[name]


@pytest.mark.slow
@pytest.mark.timeout(960)  # all trials run for the first of them
@pytest.mark.parametrize("name", SHORT)
def test_no_upload_is_lost_or_decided_twice(
    tried: Callable[[str], dict[str, Any]], name: str
) -> None:
    found = tried(name)
    assert not found["missed"]
    assert found["acknowledged"] > 60
    assert (found["lost"], found["twice"]) == (0, 0)


def test_it_lists_the_expected_results(tmp_path: Path) -> None:
    told = faults(tmp_path, "--list")
    assert told.returncode == 0
    names = [line.split()[0] for line in told.stdout.splitlines()]
    assert set(SHORT) <= set(names)


def test_an_unknown_fault_is_an_error(tmp_path: Path) -> None:
    told = faults(tmp_path, "earthquake")
    assert told.returncode == 2
    assert "there is no fault earthquake" in told.stderr


def test_every_fault_is_in_the_docs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    names = re.findall(r"^(\S+)", faults(tmp_path, "--list").stdout, re.M)
    assert not [name for name in names if f"| `{name}` |" not in page]
