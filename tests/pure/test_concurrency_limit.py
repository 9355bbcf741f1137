"""The limit of concurrent uploads: the others wait in order of arrival; pure."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.errors import Unavailable
from webapp.uploads.concurrency_limit import ACTIVE, ConcurrencyLimit


def until(true) -> None:
    """Wait for something; a limit that is broken fails the test instead of holding it for ever."""
    for _ in range(30_000):
        if true():
            return
        time.sleep(0.001)
    raise AssertionError("it did not happen")


class Visitor(threading.Thread):
    """A thread that acquires a slot, records its name, and holds the slot until ``go`` is set."""

    def __init__(
        self, limit: ConcurrencyLimit, name: str, came: list[str], owner: str = "", weight: int = 1
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.limit, self.came, self.go = limit, came, threading.Event()
        self.owner, self.weight = owner, weight
        self.refused: Unavailable | None = None

    def run(self) -> None:
        try:
            with self.limit.slot(self.owner, self.weight):
                self.came.append(self.name)
                self.go.wait()
        except Unavailable as error:
            self.refused = error

    def leave(self) -> None:
        """Wait until it is gone."""
        self.join(30)
        assert not self.is_alive()


def visitors(
    limit: ConcurrencyLimit, count: int, came: list[str], owner: str = "", weight: int = 1
) -> list[Visitor]:
    """Start ``count`` visitors; each acquires or waits before the next starts."""
    made = [Visitor(limit, f"{owner}{number}", came, owner, weight) for number in range(count)]
    before = len(came) + limit.waiting
    for number, one in enumerate(made):
        one.start()
        until(lambda number=number: len(came) + limit.waiting > before + number)
    return made


def leave(visitors: list[Visitor]) -> None:
    for one in visitors:
        one.go.set()
        one.leave()


def test_slots_are_given_in_order_of_arrival_and_never_exceeded():
    limit, came = ConcurrencyLimit(slots=2), []
    made = visitors(limit, 6, came)
    assert sorted(came) == ["0", "1"]
    assert limit.waiting == 4
    for number, one in enumerate(made):
        one.go.set()
        one.leave()
        until(lambda number=number: len(came) == min(6, number + 3))
    assert came[2:] == ["2", "3", "4", "5"]
    assert limit.waiting == 0


def test_a_released_slot_goes_to_the_longest_waiter_not_to_a_new_arrival():
    limit, came = ConcurrencyLimit(slots=1), []
    first, second = visitors(limit, 2, came)
    third = Visitor(limit, "third", came)
    first.go.set()
    third.start()
    until(lambda: "1" in came)
    second.go.set()
    third.go.set()
    third.leave()
    assert came == ["0", "1", "third"]


def test_an_error_releases_the_slot():
    limit = ConcurrencyLimit(slots=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limit.slot():
            raise ZeroDivisionError
    with limit.slot():
        pass


def test_a_waiter_that_times_out_gets_retry_after_and_leaves_the_queue():
    limit, came = ConcurrencyLimit(slots=1, timeout=0.05), []
    made = visitors(limit, 3, came)
    for one in made[1:]:
        one.leave()
        assert one.refused is not None
        assert one.refused.retry_after > 0
    assert limit.waiting == 0
    made[0].go.set()
    made[0].leave()
    with limit.slot():
        pass


def test_no_slot_is_lost_when_many_acquire_and_time_out():
    limit, inside, most = ConcurrencyLimit(slots=3, timeout=0.002), [0], [0]
    guard = threading.Lock()

    def visit() -> None:
        for _ in range(50):
            try:
                with limit.slot():
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
    assert (limit.free, limit.waiting) == (3, 0)


def test_above_the_most_that_may_wait_a_visitor_is_refused_at_once():
    limit, came = ConcurrencyLimit(1, 60.0, most_waiting=1, detail="Come back."), []
    visitors = [Visitor(limit, name, came) for name in "abc"]
    visitors[0].start()
    until(lambda: came == ["a"])
    visitors[1].start()
    until(lambda: limit.waiting == 1)
    visitors[2].start()
    until(lambda: visitors[2].refused)
    assert visitors[2].refused.detail == "Come back."
    visitors[0].go.set()
    until(lambda: came == ["a", "b"])
    visitors[1].go.set()


def test_alone_an_owner_gets_all_slots_beside_another_its_share():
    limit, came = ConcurrencyLimit(slots=8, shared=2), []
    many = visitors(limit, 12, came, "a")
    assert len(came) == 8
    one = visitors(limit, 1, came, "b")
    many[0].go.set()
    until(lambda: "b0" in came)  # before four of "a" that came earlier
    assert "a8" not in came
    leave(many[1:6])
    assert [name for name in came if name > "a7"] == ["b0"]  # "a" has more than its share
    many[6].go.set()
    until(lambda: "a8" in came or "a9" in came or "a10" in came)
    many[7].go.set()
    leave(one + many)
    assert (limit.free, limit.waiting) == (8, 0)


def test_the_share_of_an_owner_goes_by_its_weight():
    limit, came = ConcurrencyLimit(slots=20, shared=2), []
    made = visitors(limit, 1, came, "b")
    made += visitors(limit, 8, came, "a", weight=3)
    assert sum(name.startswith("a") for name in came) == 6
    leave(made)


def test_an_owner_gets_all_slots_again_when_the_others_are_gone():
    came, now = [], [1000.0]
    limit = ConcurrencyLimit(slots=8, shared=2, clock=lambda: now[0])
    leave(visitors(limit, 1, came, "b"))
    many = visitors(limit, 6, came, "a")
    assert came == ["b0", "a0", "a1"]
    now[0] += ACTIVE + 1
    many.append(*visitors(limit, 1, came, "a"))
    until(lambda: len(came) == 8)
    leave(many)


def test_a_released_slot_goes_to_who_holds_the_fewest():
    limit, came = ConcurrencyLimit(slots=3, shared=9), []
    made = visitors(limit, 3, came, "a")
    made += visitors(limit, 3, came, "a") + visitors(limit, 1, came, "b")
    made[0].go.set()
    until(lambda: len(came) == 4)
    assert came[-1] == "b0"
    leave(made)
