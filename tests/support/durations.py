"""Seconds of the tests by folder and by file, told in pytest's last lines."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePath
from typing import Any

import pytest

FILES = 20  # the slowest ones are named; tests/conftest.py starts long files first

_seconds: defaultdict[str, float] = defaultdict(float)
_tests: defaultdict[str, int] = defaultdict(int)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a setup, a call or a teardown to its file; with xdist, in the process that reports."""
    file = report.nodeid.partition("::")[0]
    _seconds[file] += report.duration
    _tests[file] += report.when == "call"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A table by folder, then the slowest files; where one file ran there is nothing to compare."""
    if len(_seconds) < 2:
        return
    folders: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0])
    for file, seconds in _seconds.items():
        total = folders[str(PurePath(file).parent)]
        total[0] += seconds
        total[1] += _tests[file]
    terminalreporter.section("seconds by folder and file, of all processes together")
    for name, (seconds, tests) in sorted(folders.items(), key=lambda one: -one[1][0]):
        terminalreporter.write_line(f"{seconds:8.1f}  {tests:5.0f} tests  {name}")
    for name, seconds in sorted(_seconds.items(), key=lambda one: -one[1])[:FILES]:
        terminalreporter.write_line(f"{seconds:8.1f}  {_tests[name]:5} tests  {name}")
