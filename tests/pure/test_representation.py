"""What a client reads of a submission."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from models.labels import label_index
from models.labels.label_index import LabelEntry, LabelIndex
from models.submissions import representation
from models.submissions.submission import Submission


def entry(name: str, **facts: Any) -> LabelEntry:
    values = {"title": name.title(), "button": "", "author_text": f"It is {name}.", "guidance": ""}
    flags = {"graphic": False, "by_machine": False, "is_retired": False, "key": None}
    return LabelEntry(name, **{**values, **flags, **facts})


@pytest.fixture(autouse=True)
def index(monkeypatch: pytest.MonkeyPatch) -> LabelIndex:
    """Three labels, as if they were the database's."""
    rows = [entry("scam"), entry("other"), entry("old", is_retired=True)]
    found = LabelIndex({row.name: row for row in rows})
    monkeypatch.setattr(label_index.labels, "get", lambda: found)
    return found


@pytest.mark.parametrize("label", ["scam", "other", "old"])
def test_a_reason_has_the_text_of_its_label(label: str) -> None:
    reason = representation.with_author_text({"check": "rules", "label": label})
    assert reason["author_text"] == f"It is {label}."


def test_a_label_that_is_no_row_has_the_text_of_other() -> None:
    reason = representation.with_author_text({"check": "shadow", "label": "porn"})
    assert reason["author_text"] == "It is other."


def test_labels_that_can_be_chosen(index: LabelIndex) -> None:
    assert index.choices() == ["scam", "other"]
    assert index.choices("old") == ["scam", "other", "old"]
    assert index.choices("unheard of") == ["scam", "other"]
    assert index.title("drawn_porn") == "Drawn porn"
    assert index.problem("scam") == ""
    assert "retired" in index.problem("old")
    assert "The labels are scam, other." in index.problem("unheard of")


def test_an_upload_that_was_picked_at_random_is_not_accused() -> None:
    reason = representation.with_author_text({"check": "sample", "label": "other"})
    assert "rules" not in reason["author_text"] and "random" in reason["author_text"]


def test_times_are_in_utc_and_sort_as_texts() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert representation.utc(noon) == "2026-03-01T10:00:00.000000+00:00"
    later = [noon + timedelta(microseconds=n) for n in (0, 1, 999_999, 1_000_000)]
    texts = [representation.utc(at) for at in later]
    assert texts == sorted(set(texts))


def test_a_person_without_a_label_is_a_reason_too() -> None:
    row = Submission(verdict="rejected", moderator_label="", reasons=[])
    [reason] = representation.reasons_of(row)
    assert (reason["check"], reason["label"]) == ("moderator", "other")
    row.created_at, row.decided_at = datetime(2026, 3, 1, tzinfo=UTC), None
    assert representation.times_of(row)["decided_at"] is None
