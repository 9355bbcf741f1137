"""Log lines: their content, and that outside text cannot forge or hide a line."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from models.settings import ROOT
from tasks.observability import logs
from tests.support.api import Api, eventually, unique
from tests.support.stack import Stack, wait_until

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
    f"x\ud800{FORGED}",
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
def test_a_traceback_stays_inside_its_record(heard, name: str) -> None:
    log, text = heard
    try:
        raise ValueError(name)
    except ValueError:
        log.exception("failed on %s", name)
    first, *rest = text.getvalue().splitlines()
    assert first.startswith("ERROR failed on x")
    assert rest and all(line.startswith("  | ") and line.isprintable() for line in rest)
    assert any("ValueError" in line for line in rest)


def test_a_request_cannot_forge_a_line(stack: Stack) -> None:
    """Paths, keys and headers of requests, in the logs of a stack that runs."""
    log = stack.home / "log"
    mark = "forged-by-a-request"
    for path in (f"/console/%0a{mark}%1b[31m", f"/api/%0d%0a{mark}", f"/{mark}%0a{mark}"):
        requests.get(stack.url + path, headers={"User-Agent": f"x\x1b[31m{mark}"}, timeout=5)
    wait_until(lambda: mark in (log / "nginx.log").read_text("utf-8", "replace"))
    for file in log.iterdir():
        for line in file.read_text("utf-8", "replace").split("\n"):
            assert not line.startswith(mark), file
            assert mark not in line or "\x1b" not in line, file


@pytest.fixture
def told() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose lines are objects, and what it wrote."""
    before, text = logging.getLogRecordFactory(), io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.Json())
    log = logging.getLogger("tests.objects")
    log.addHandler(handler)
    logs.guard()
    logs.begin()
    yield log, text
    logs.begin()
    logging.setLogRecordFactory(before)
    log.removeHandler(handler)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_line_is_one_object_with_its_traceback(told, name: str) -> None:
    log, text = told
    logs.begin(request_id=name, job_id="7", client=None)
    try:
        raise ValueError(name)
    except ValueError:
        log.exception("failed on %s", name)
    assert text.getvalue().count("\n") == 1
    assert text.getvalue().encode().decode().rstrip("\n").isprintable()
    line = json.loads(text.getvalue())
    assert (line["level"], line["logger"], line["job_id"]) == ("error", "tests.objects", "7")
    assert line["message"].startswith("failed on x") and FORGED in line["message"]
    assert line["exception"].startswith("Traceback") and "ValueError" in line["exception"]
    assert "client" not in line
    assert abs((datetime.now(UTC) - datetime.fromisoformat(line["time"])).total_seconds()) < 60


def test_the_context_of_a_line_ends_with_the_next_job(told) -> None:
    log, text = told
    logs.begin(request_id="one")
    logs.add(client=3)
    log.warning("first")
    logs.begin(request_id="two")
    log.warning("second")
    first, second = (json.loads(line) for line in text.getvalue().splitlines())
    assert (first["request_id"], first["client"]) == ("one", 3)
    assert second["request_id"] == "two" and "client" not in second


def test_the_readable_form_has_lines_and_no_objects(told) -> None:
    log, text = told
    logs.begin(job_id="7")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("it failed")
    shown = logs.readable(text.getvalue().rstrip("\n")).split("\n")
    assert shown[0].endswith("ERROR it failed  job_id=7")
    assert shown[1:] and all(line.startswith("  | ") for line in shown[1:])
    for line in ("LOG:  database system is ready", "{}", "[1]", '{"time": 3}', ""):
        assert logs.readable(line) == line


@pytest.mark.parametrize(("kind", "first"), [("json", "{"), ("text", "2")])
def test_both_log_formats(kind: str, first: str) -> None:
    code = f"from tasks.observability import logs; import logging; logs.start({kind!r});"
    code += "logging.getLogger('sluice.x').info('hello'); logging.getLogger('theirs').info('no')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.startswith(first) and "hello" in done.stderr
    assert done.stderr.count("\n") == 1


def lines(path: Path) -> list[dict[str, Any]]:
    """Every line of a log, each of which must be an object."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_request_can_be_followed_to_the_workers_line(stack: Stack, new_client) -> None:
    log = stack.home / "log"
    api = Api(stack.url, new_client())
    reply = api.submit(unique("safe_rocket.jpg"), headers={"X-Request-ID": "of-my-own"})
    job_id = reply.json()["job_id"]
    api.status(job_id, wait=25)
    workers = sorted(log.glob("worker_*.log")) + sorted(log.glob("priority_*.log"))
    (work,) = eventually(
        lambda: [line for path in workers for line in lines(path) if line.get("job_id") == job_id]
    )
    assert work["message"].startswith("approved after") and work["client"] > 0
    assert len(work["request_id"]) == 32  # nginx's own: nobody outside chooses it
    assert reply.headers["X-Request-ID"] == work["request_id"]

    def edge() -> list[dict[str, Any]]:
        text = (log / "nginx.log").read_text("utf-8", "replace").splitlines()
        found = [json.loads(line) for line in text if line.startswith('{"time"')]
        return [line for line in found if line["request_id"] == work["request_id"]]

    (line,) = eventually(edge)
    assert (line["method"], line["path"]) == ("POST", "/api/moderation/submissions")


def test_every_line_of_our_processes_is_an_object(stack: Stack) -> None:
    log = stack.home / "log"
    ours = [
        path for path in log.glob("*.log") if path.stem.startswith(("web_", "worker_", "stand"))
    ]
    assert len(ours) >= 3
    seen = [line for path in ours for line in lines(path)]
    assert any("Listening at" in line["message"] for line in seen)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in seen)
