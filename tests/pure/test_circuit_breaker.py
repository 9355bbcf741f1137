"""The circuit breaker: one probe decides for all callers of a process; pure."""

from __future__ import annotations

import threading

import pytest

from models import circuit_breaker
from models.circuit_breaker import CircuitBreaker
from tests.support.stack import wait_until

SILENT = "does not respond"


class Server:
    """A server that is probed: counts the probes, and may hold one."""

    def __init__(self) -> None:
        self.state, self.probes = "", 0
        self.answers = threading.Event()
        self.answers.set()
        self.breaker = CircuitBreaker("Server", self.probe)

    def probe(self) -> str:
        self.probes += 1
        self.answers.wait(10)
        return self.state


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(circuit_breaker, "EVERY", 0.01)
    return Server()


def test_a_server_that_works_stays_in_use(server: Server) -> None:
    assert server.breaker.verify() == ""
    assert (server.breaker.settled(), server.breaker.recoveries) == ("", 0)


def test_while_it_fails_nobody_probes_but_the_background(server: Server) -> None:
    server.state = SILENT
    assert server.breaker.verify() == SILENT
    server.answers.clear()  # the background's probe hangs
    wait_until(lambda: server.probes >= 2)
    seen = server.probes
    assert [server.breaker.verify(), server.breaker.settled()] == [SILENT, SILENT]
    assert server.probes == seen
    server.state = ""
    server.answers.set()
    wait_until(lambda: server.breaker.trouble == "")
    assert server.breaker.recoveries == 1


def test_many_callers_share_one_probe(server: Server) -> None:
    server.state = SILENT
    server.answers.clear()
    found: list[str] = []
    callers = [
        threading.Thread(target=lambda: found.append(server.breaker.verify())) for _ in range(8)
    ]
    callers += [threading.Thread(target=lambda: found.append(server.breaker.settled()))]
    callers[0].start()
    wait_until(lambda: server.probes == 1)
    for caller in callers[1:]:
        caller.start()
    assert found == []
    assert server.probes == 1
    server.answers.set()
    for caller in callers:
        caller.join(10)
    assert found == [SILENT] * 9
    server.state = ""
    wait_until(lambda: server.breaker.recoveries == 1)


def test_a_probe_within_the_wait_is_not_repeated(server: Server) -> None:
    server.breaker.verify()
    server.breaker.verify(60)
    assert server.probes == 1
    server.breaker.verify()  # an error, not a wait: it is probed
    assert server.probes == 2


def test_what_is_wrong_may_change(server: Server) -> None:
    server.state = SILENT
    server.breaker.verify()
    server.state = "refuses writes"
    wait_until(lambda: server.breaker.trouble == "refuses writes")
    server.state = ""
    wait_until(lambda: server.breaker.recoveries == 1)


def test_a_probe_that_raises_counts_as_failed(server: Server) -> None:
    calls: list[int] = []

    def probe() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise OSError("no route")
        return ""

    breaker = CircuitBreaker("Server", probe)
    assert breaker.verify() == SILENT
    wait_until(lambda: breaker.trouble == "")
