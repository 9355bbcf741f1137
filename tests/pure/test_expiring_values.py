"""Values that expire: one caller reads anew while the others get the old value."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.expiring_values import ExpiringValues


def test_a_value_is_read_once_until_it_expires() -> None:
    values, numbers = ExpiringValues(), iter(range(10))
    assert [values.get_or("n", 60, lambda: next(numbers)) for _ in range(3)] == [0, 0, 0]
    assert values.get_or("n", 0, lambda: next(numbers)) == 1
    assert values.get_or("other", 60, lambda: next(numbers)) == 2


def test_the_others_get_the_old_value_while_one_reads() -> None:
    values, begun, go_on = ExpiringValues(patience=60), threading.Event(), threading.Event()
    values.get_or("n", 60, lambda: "old")

    def slowly() -> str:
        begun.set()
        assert go_on.wait(30)
        return "new"

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(values.get_or, "n", 0, slowly)
        assert begun.wait(30)
        assert values.get_or("n", 0, lambda: "another") == "old"
        go_on.set()
        assert reading.result() == "new"
    assert values.get_or("n", 60, lambda: "another") == "new"


def test_without_patience_nobody_gets_an_old_value() -> None:
    values = ExpiringValues(patience=0)
    values.get_or("n", 60, lambda: "old")
    inner = values.get_or("n", 0, lambda: values.get_or("n", 0, lambda: "inner"))
    assert inner == "inner"


def test_a_failed_read_leaves_the_way_free_for_the_next() -> None:
    values = ExpiringValues()
    values.get_or("n", 60, lambda: "old")
    with pytest.raises(ZeroDivisionError):
        values.get_or("n", 0, lambda: 1 // 0)
    assert values.get_or("n", 0, lambda: "new") == "new"
