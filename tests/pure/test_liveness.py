"""The liveness of a process: what it expects to end, and what a probe gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from models.settings import Settings, use_settings
from tasks import standby
from tasks.load import liveness
from tasks.load.heartbeat import JOB, Heartbeat
from tasks.load.metrics_server import with_health


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(liveness, "_until", {})
    use_settings(Settings())
    yield


def answer(path: str) -> tuple[str, bytes]:
    statuses = []
    app = with_health(lambda environ, start: [b"metrics"])
    body = b"".join(app({"PATH_INFO": path}, lambda status, _: statuses.append(status)))
    return (statuses or [""])[0], body


def test_a_process_that_expects_nothing_is_alive() -> None:
    assert answer("/healthz") == ("200 OK", b"ok\n")


def test_what_is_overdue_is_named() -> None:
    liveness.expect("job", 100)
    liveness.expect("sweep", -1)
    assert answer("/healthz") == ("503 Service Unavailable", b"stuck: sweep\n")
    liveness.done("sweep")
    assert answer("/healthz")[0] == "200 OK"


def test_other_paths_are_the_metrics() -> None:
    assert answer("/metrics") == ("", b"metrics")


def test_a_block_that_ends_is_expected_no_more() -> None:
    with pytest.raises(ValueError, match="x"), liveness.expected("duty", -1):
        assert liveness.overdue() == ["duty"]
        raise ValueError("x")
    assert liveness.overdue() == []


def test_a_block_without_a_bound_is_never_overdue() -> None:
    with liveness.expected("retention", 0):
        assert liveness.overdue() == []


def test_a_job_of_a_worker_is_expected_until_it_ends() -> None:
    heart = Heartbeat("worker_00")
    heart.begin()
    assert JOB in liveness._until
    heart.count(1)
    assert JOB in liveness._until
    heart.end()
    assert JOB not in liveness._until


def test_every_duty_of_the_standby_is_watched_while_it_runs() -> None:
    seen, stop = [], threading.Event()

    def act() -> None:
        seen.extend(liveness._until)
        stop.set()

    standby.Duty("certificate", 0.0, act, own_connection=True).run(stop)
    assert seen == ["certificate"]
    assert liveness._until == {}
