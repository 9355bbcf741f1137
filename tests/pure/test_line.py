"""The line of uploads: so many at once, the others in the order in which they came; pure."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.errors import Unavailable
from webapp.uploads.concurrency_limit import Line


def until(true) -> None:
    """Wait for something; a line that is broken fails the test instead of holding it for ever."""
    for _ in range(30_000):
        if true():
            return
        time.sleep(0.001)
    raise AssertionError("it did not happen")


class Visitor(threading.Thread):
    """Somebody who takes a place, notes the name, and stays until told to go."""

    def __init__(self, line: Line, name: str, came: list[str]) -> None:
        super().__init__(name=name, daemon=True)
        self.line, self.came, self.go = line, came, threading.Event()
        self.refused: Unavailable | None = None

    def run(self) -> None:
        try:
            with self.line.place():
                self.came.append(self.name)
                self.go.wait()
        except Unavailable as error:
            self.refused = error

    def leave(self) -> None:
        """Wait until it is gone."""
        self.join(30)
        assert not self.is_alive()


def visitors(line: Line, count: int, came: list[str]) -> list[Visitor]:
    """So many in the order of their numbers; each stands in the line before the next comes."""
    made = [Visitor(line, str(number), came) for number in range(count)]
    for number, one in enumerate(made):
        one.start()
        until(lambda number=number: len(came) + line.waiting > number)
    return made


def test_they_come_in_turn_and_no_more_at_once_than_there_are_places():
    line, came = Line(places=2), []
    made = visitors(line, 6, came)
    assert sorted(came) == ["0", "1"]
    assert line.waiting == 4
    for number, one in enumerate(made):
        one.go.set()
        one.leave()
        until(lambda number=number: len(came) == min(6, number + 3))
    assert came[2:] == ["2", "3", "4", "5"]
    assert line.waiting == 0


def test_a_place_is_handed_over_and_whoever_comes_just_then_stands_behind():
    line, came = Line(places=1), []
    first, second = visitors(line, 2, came)
    third = Visitor(line, "third", came)
    first.go.set()
    third.start()
    until(lambda: "1" in came)
    second.go.set()
    third.go.set()
    third.leave()
    assert came == ["0", "1", "third"]


def test_an_error_leaves_no_place_behind():
    line = Line(places=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), line.place():
            raise ZeroDivisionError
    with line.place():
        pass


def test_who_waits_too_long_is_asked_to_come_again_and_stands_in_nobodys_way():
    line, came = Line(places=1, patience=0.05), []
    made = visitors(line, 3, came)
    for one in made[1:]:
        one.leave()
        assert one.refused is not None
        assert one.refused.retry_after > 0
    assert line.waiting == 0
    made[0].go.set()
    made[0].leave()
    with line.place():
        pass


def test_many_come_and_go_and_every_place_is_there_afterwards():
    line, inside, most = Line(places=3, patience=0.002), [0], [0]
    guard = threading.Lock()

    def visit() -> None:
        for _ in range(50):
            try:
                with line.place():
                    with guard:
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                    time.sleep(0.0005)
                    with guard:
                        inside[0] -= 1
            except Unavailable:
                pass

    with ThreadPoolExecutor(12) as pool:
        for visitor in [pool.submit(visit) for _ in range(12)]:
            visitor.result(30)
    assert most[0] <= 3
    assert (line.free, line.waiting) == (3, 0)
