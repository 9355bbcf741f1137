"""How many hostile inputs the tests have tried; pytest's last lines tell the number.

A test that sends something nobody honest would send says so: ``tried(len(cases))``.
"""

from __future__ import annotations

from typing import Any

import pytest

_count = 0


def tried(inputs: int = 1) -> None:
    """Count hostile inputs that were tried."""
    global _count
    _count += inputs


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell the number, where there is one."""
    if _count:
        terminalreporter.write_line(f"hostile inputs tried: {_count:,}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where the tests are spread over processes, hand this one's number over."""
    handed = getattr(session.config, "workeroutput", None)
    if handed is not None:
        handed["tried"] = _count


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a process's number."""
    tried(getattr(node, "workeroutput", {}).get("tried", 0))
