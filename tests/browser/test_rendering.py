"""What Chromium paints of a file, at any moment, is among the views that are scored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.rendering.compare import check
from tests.support.rendering.corpus import Kind, cases, kinds
from tests.support.rendering.oracle import Oracle

SEEDS = 12  # of each seeded kind; `python -m tests.support.rendering` runs more


@pytest.fixture(scope="module")
def oracle(browser: Browser) -> Iterator[Oracle]:
    made = Oracle(browser)
    yield made
    made.close()


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_what_chromium_paints_is_scored(oracle: Oracle, kind: Kind) -> None:
    outcomes = [check(oracle, case) for case in cases(kind, SEEDS)]
    assert outcomes
    wrong = {one.case.name: (one.result, one.details) for one in outcomes if not one.right}
    assert not wrong
