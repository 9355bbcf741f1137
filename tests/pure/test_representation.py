"""What a client reads of a submission."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from models.submissions import representation
from models.submissions.submission import Submission
from models.verdict import LABELS


def test_every_label_has_a_text_for_the_author() -> None:
    assert set(representation.AUTHOR_TEXTS) == set(LABELS)
    for label, text in representation.AUTHOR_TEXTS.items():
        assert text.endswith(".") and label not in ("", text)


def test_a_label_that_was_removed_still_has_one() -> None:
    reason = representation.with_author_text({"check": "rules", "label": "long gone"})
    assert reason["author_text"] == representation.AUTHOR_TEXTS["other"]


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
