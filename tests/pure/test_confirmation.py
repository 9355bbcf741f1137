"""What two networks mean together: a pure table of decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.verdict import Policy
from tasks.detectors.confirmation import Confirmation, confirm, is_asked

POLICY = Policy()
ORDER = {"note": 0, "review": 1, "reject": 2}


@pytest.mark.parametrize(
    ("action", "second", "expected"),
    [
        ("reject", {"porn": 0.9}, Confirmation("reject", "both")),
        ("reject", {"drawn_sexual": 0.9}, Confirmation("reject", "both")),
        ("reject", {"neutral": 0.95}, Confirmation("review", "first", last=True)),
        ("reject", {"neutral": 0.94}, Confirmation("reject", "first")),
        ("reject", {"drawing": 0.99}, Confirmation("reject", "first")),
        ("reject", {"suggestive": 0.99}, Confirmation("reject", "first")),
        ("review", {"porn": 0.99}, Confirmation("review", "both")),
        ("review", {"neutral": 0.99}, Confirmation("review", "first", last=True)),
        ("note", {"porn": 0.99}, Confirmation("note", "second")),
        ("note", {"neutral": 0.99}, Confirmation("note", "neither")),
        ("reject", {}, Confirmation("reject", "first")),
    ],
)
def test_both_together(action: str, second: dict[str, float], expected: Confirmation) -> None:
    assert confirm(action, second, POLICY) == expected


@pytest.mark.parametrize(("action", "asked"), [("reject", True), ("review", True), ("note", False)])
def test_it_is_asked_only_where_the_first_would_not_approve(action: str, asked: bool) -> None:
    assert is_asked(action) is asked


@given(
    st.sampled_from(sorted(ORDER)),
    st.dictionaries(st.sampled_from(("porn", "neutral", "suggestive", "x")), st.floats(0, 1)),
)
def test_it_is_total_never_stricter_and_never_approves_what_the_first_stopped(
    action: str, second: dict[str, float]
) -> None:
    both = confirm(action, second, POLICY)
    assert ORDER[both.action] <= ORDER[action]
    assert is_asked(both.action) is is_asked(action)
    assert both.last <= (second.get("neutral", 0) >= 0.95)
