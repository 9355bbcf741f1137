"""Policy documents: inheritance, checks, and how a version reads back."""

from __future__ import annotations

import math
from typing import Any

import pytest

from models.errors import Invalid
from models.policies.document import Document, changes, check, check_order, read
from models.policies.policy_index import PolicyIndex
from models.verdict import Finding, Thresholds, judge, sample_of
from webapp.console.policies.policy_form import document_of, form_of
from webapp.console.policies.replay_words import interval

BASE = Document({"nudity": {"review_at": 0.2, "reject_at": 0.8}}, 0.0, "hold", False)


def nudity(**parts: float | None) -> Document:
    return Document({"nudity": parts})


def test_thresholds_inherit_one_by_one() -> None:
    found = nudity(reject_at=0.9).over(BASE)
    assert found.thresholds("nudity") == Thresholds(0.2, 0.9)
    assert (found.sample_rate, found.visibility, found.publish_unchecked) == (0.0, "hold", False)
    assert found.thresholds("scam") == Thresholds(None, None)


def test_never_is_not_inherited() -> None:
    found = nudity(reject_at=None).over(BASE).thresholds("nudity")
    assert found == Thresholds(0.2, None)
    assert (found.action(0.1), found.action(1.0)) == ("note", "review")


def test_contrary_thresholds_of_two_levels_reject() -> None:
    found = nudity(review_at=0.9).over(BASE).thresholds("nudity")
    assert found == Thresholds(0.8, 0.8)
    assert found.action(0.85) == "reject"


def test_the_most_exact_policy_is_effective_and_names_its_newest_version() -> None:
    newest = {
        (None, ""): (3, BASE),
        (7, ""): (5, nudity(review_at=0.3)),
        (7, "avatar"): (4, Document(visibility="publish_first")),
    }
    index = PolicyIndex(newest, BASE)
    avatar = index.policy(7, "avatar", None)
    assert (avatar.review_at, avatar.reject_at) == (0.3, 0.8)
    assert (avatar.visibility, avatar.version) == ("publish_first", 5)
    assert index.policy(7, "listing", None).visibility == "hold"
    assert index.policy(8, "avatar", None).version == 3
    draft = index.with_document((7, ""), nudity(review_at=0.5))
    assert draft.policy(7, "avatar", None).review_at == 0.5
    assert index.policy(7, "avatar", None).review_at == 0.3


WRONG: list[tuple[Document, str]] = [
    (nudity(review_at=1.01), "review_at-nudity"),
    (nudity(reject_at=-0.1), "reject_at-nudity"),
    (nudity(reject_at=math.nan), "reject_at-nudity"),
    (nudity(reject_at=True), "reject_at-nudity"),
    (Document({"nonsense": {"review_at": 0.5}}), "nonsense"),
    (Document(sample_rate=2), "sample_rate"),
    (Document(visibility="sometimes"), "visibility"),
]


@pytest.mark.parametrize(("document", "field"), WRONG)
def test_wrong_values_are_refused_by_field(document: Document, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        check(document, ["nudity"])
    assert raised.value.field == field


def test_review_above_reject_is_refused() -> None:
    with pytest.raises(Invalid, match=r"review from 0\.9 is above reject from 0\.8"):
        check_order(nudity(review_at=0.9).over(BASE))
    check_order(nudity(review_at=0.8).over(BASE))
    check_order(nudity(review_at=None).over(BASE))


@pytest.mark.parametrize(
    "document", [BASE, nudity(reject_at=None), Document(), nudity(review_at=0)]
)
def test_a_document_reads_back_as_it_was_stored(document: Document) -> None:
    assert read(document.as_json()) == document
    assert document_of(form_of(document), ["nudity"]) == document


def test_what_a_later_release_added_is_ignored() -> None:
    stored = {"labels": {"nudity": {"review_at": 0.1, "blur_at": 0.5}}, "rule_sets": [1]}
    assert read(stored) == nudity(review_at=0.1)


def test_changes_are_told_by_name() -> None:
    told = changes(nudity(review_at=0.1), Document({"nudity": {"reject_at": None}}, 0.5))
    assert told == {
        "nudity review_at": [0.1, "inherited"],
        "nudity reject_at": ["inherited", "never"],
        "sample_rate": ["inherited", 0.5],
    }


@pytest.mark.parametrize(
    ("form", "field"),
    [({"review_at-nudity": "often"}, "review_at-nudity"), ({"visibility": "x"}, "visibility")],
)
def test_a_form_that_is_no_policy(form: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        document_of(form, ["nudity"])
    assert raised.value.field == field


def test_scores_of_all_labels_are_told_with_the_version() -> None:
    findings = [
        Finding("classifier", "nudity", score=0.1),
        Finding("classifier", "nudity", score=0.25),
        Finding("rules", "scam", "note"),
    ]
    policy = nudity(review_at=0.3).over(BASE).policy(None, 9)
    told = judge(findings, policy)
    assert (told.verdict, told.scores, told.version) == ("approved", {"nudity": 0.25}, 9)


def test_the_sample_is_by_chance_and_always_the_same() -> None:
    from uuid import UUID

    numbers = [sample_of(UUID(int=n)) for n in range(2000)]
    assert numbers == [sample_of(UUID(int=n)) for n in range(2000)]
    assert 0.45 < sum(numbers) / 2000 < 0.55 and min(numbers) >= 0 and max(numbers) < 1


def test_intervals_are_wilsons() -> None:
    assert interval(0, 0) == "no decisions"
    assert interval(5, 10) == "50 % (24 to 76), 5 of 10"
    assert interval(0, 10) == "0 % (0 to 28), 0 of 10"
