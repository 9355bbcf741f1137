"""Log lines: nobody outside can begin a line of their own, or hide one."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import requests

from tasks import logs
from tests.stack import Stack, wait_until

FORGED = "2026-01-01 00:00:00 ERROR everything is deleted"
HOSTILE = [
    f"x\n{FORGED}",
    f"x\r\n{FORGED}",
    f"x\r{FORGED}",
    f"x\u2028{FORGED}",
    f"x\x85{FORGED}",
    f"x\x1b[2K\x1b[1G{FORGED}",
    f"x\x9b2K{FORGED}",
    f"x\x00\x08\x08{FORGED}",
    f"x\u202e{FORGED}",
]


@pytest.fixture
def heard() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose lines are guarded, and what it wrote."""
    before, text = logging.getLogRecordFactory(), io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log = logging.getLogger("tests.logs")
    log.addHandler(handler)
    logs.guard()
    yield log, text
    logging.setLogRecordFactory(before)
    log.removeHandler(handler)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_stays_on_its_line(heard, name: str) -> None:
    log, text = heard
    log.warning("the author %s is unknown", name)
    lines = text.getvalue().splitlines()
    assert len(lines) == 1 and lines[0].startswith("WARNING the author x\\")
    assert lines[0].isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_traceback_begins_no_line_of_its_own(heard, name: str) -> None:
    log, text = heard
    try:
        raise ValueError(name)
    except ValueError:
        log.exception("failed on %s", name)
    first, *rest = text.getvalue().splitlines()
    assert first.startswith("ERROR failed on x")
    assert rest and all(line.startswith("  | ") and line.isprintable() for line in rest)
    assert any("ValueError" in line for line in rest)


def test_what_a_request_names_cannot_forge_a_line(stack: Stack) -> None:
    """Paths, keys and headers of requests, in the logs of a stack that runs."""
    log = stack.home / "log"
    mark = "forged-by-a-request"
    for path in (f"/console/%0a{mark}%1b[31m", f"/api/%0d%0a{mark}", f"/{mark}%0a{mark}"):
        requests.get(stack.url + path, headers={"User-Agent": f"x\x1b[31m{mark}"}, timeout=5)
    wait_until(lambda: mark in (log / "nginx.log").read_text())
    for file in log.iterdir():
        for line in file.read_text("utf-8", "replace").split("\n"):
            assert not line.startswith(mark), file
            assert mark not in line or "\x1b" not in line, file
