"""The figures of `scripts/bench detectors`: areas, recalls and intervals, and its input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benches.detectors import texts_of
from scripts.benches.quality import area, estimate, recall_at, share

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=30)


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order(bad: list[float], good: list[float]) -> None:
    pairs = [(b > g) + (b == g) / 2 for b in bad for g in good]
    assert area(np.array(bad), np.array(good)) == pytest.approx(sum(pairs) / len(pairs))


def test_the_area_of_chance_and_of_perfection() -> None:
    ones = np.array([0.9, 0.8])
    assert area(ones, np.array([0.1])) == 1
    assert area(ones, ones) == 0.5
    assert area(np.array([0.1]), ones) == 0


@given(SCORES, SCORES, st.sampled_from([0.0, 0.05, 0.2]))
def test_recall_keeps_its_false_alarms(bad: list[float], good: list[float], most: float) -> None:
    found = recall_at(np.array(bad), np.array(good), most)
    reachable = [t for t in {*bad, *good} if np.mean(np.array(good) > t) <= most]
    assert found == pytest.approx(max(np.mean(np.array(bad) > t) for t in reachable))


def test_an_interval_holds_the_value_and_narrows_with_more() -> None:
    chance = np.random.default_rng(4)
    few, many = (
        estimate(area, chance.normal(1, 1, size), chance.normal(0, 1, size), 200)
        for size in (30, 3000)
    )
    for each in (few, many):
        assert each.low <= each.value <= each.high
    assert many.high - many.low < (few.high - few.low) / 3
    assert many.low < 0.7602 < many.high  # of two normals a standard deviation apart


def test_a_share_of_few_is_uncertain() -> None:
    assert share(0, 0).high == 1
    none = share(0, 22)
    assert (none.value, none.low) == pytest.approx((0, 0)) and 0.14 < none.high < 0.16
    assert share(22, 22).high == 1


def test_texts_are_read_by_any_of_the_usual_columns(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    for column, bad, good in (("toxic", "1", "0"), ("gold", "hateful", "non-hateful")):
        path.write_text(f'text,{column}\n"a, b",{bad}\nc,{good}\n')
        assert texts_of(path) == [("a, b", True), ("c", False)]


@pytest.mark.parametrize("content", ["", "text\na\n", "words,label\na,1\n"])
def test_a_file_without_its_columns_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(content)
    with pytest.raises(RuntimeError, match=r"texts\.csv: needs the columns text and label"):
        texts_of(path)
