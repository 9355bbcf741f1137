"""From findings to a verdict; pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.moderation.decision import main_label
from models.review.workload import is_graphic
from models.verdict import (
    APPROVED,
    REJECTED,
    REVIEW,
    SHADOW_CHECK,
    VERDICTS,
    Finding,
    Policy,
    explain,
    judge,
    reason,
)

POLICY = Policy()
FINDINGS = some.lists(
    some.builds(
        Finding,
        some.sampled_from(["rules", "known_hashes", "pictures"]),
        some.just("other"),
        some.sampled_from(["reject", "review", "allow", "note"]),
    )
    | some.builds(Finding, some.just("classifier"), some.just("nudity"), score=some.floats(0, 1)),
    max_size=6,
)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.0, "approved"), (0.19, "approved"), (0.2, "review"), (0.79, "review"), (0.8, "rejected")],
)
def test_thresholds(score: float, verdict: str) -> None:
    assert judge([Finding("classifier", "nudity", score=score)], POLICY).verdict == verdict


def test_the_worst_picture_decides() -> None:
    findings = [Finding("classifier", "nudity", score=s, image=i) for i, s in enumerate((0.1, 0.9))]
    judged = judge(findings, POLICY)
    assert (judged.verdict, judged.score) == ("rejected", 0.9)
    assert [reason["image"] for reason in judged.reasons] == [1]


def test_a_sample_of_approvals_goes_to_a_person() -> None:
    policy = Policy(sample_rate=0.1)
    assert judge([], policy, sample=0.05).verdict == "review"
    assert judge([], policy, sample=0.5).verdict == "approved"


def test_visibility() -> None:
    hold, first = Policy(), Policy(visibility="publish_first")
    assert [hold.shows(v) for v in (None, *VERDICTS)] == [False, True, False, False]
    assert [first.shows(v) for v in (None, *VERDICTS)] == [True, True, False, True]


def test_only_a_client_that_chose_it_shows_pictures_that_nothing_looked_at():
    hold, first = Policy(), Policy(visibility="publish_first")
    chose = Policy(publish_unchecked=True)
    for policy, pictures, text in ((hold, False, True), (first, True, True), (chose, True, True)):
        assert policy.shows_unchecked(APPROVED, has_pictures=True) is pictures
        assert policy.shows_unchecked(APPROVED, has_pictures=False) is text
        for has_pictures in (True, False):
            assert not policy.shows_unchecked(REJECTED, has_pictures=has_pictures)
            assert policy.shows_unchecked(REVIEW, has_pictures=has_pictures) == (policy is first)


@given(FINDINGS)
def test_nothing_that_asks_for_more_is_approved(findings: list[Finding]) -> None:
    judged = judge(findings, POLICY)
    actions = {finding.action for finding in judged.findings}
    assert (judged.verdict == "approved") == (not actions & {"reject", "review"})
    assert (judged.verdict == "rejected") == ("reject" in actions)
    assert bool(judged.reasons) == (judged.verdict != "approved")


@given(FINDINGS, some.randoms())
def test_the_order_of_findings_does_not_matter(findings: list[Finding], random) -> None:
    verdict = judge(findings, POLICY).verdict
    random.shuffle(findings)
    assert judge(findings, POLICY).verdict == verdict


@given(FINDINGS)
def test_every_finding_is_explained_in_words(findings: list[Finding]) -> None:
    for finding in judge(findings, POLICY).findings:
        assert explain(finding)


@pytest.mark.parametrize(
    ("check", "evidence"),
    [
        (
            "failure",
            {"error": "FileNotFoundError: [Errno 2] No such file: '/srv/media/originals/a'"},
        ),
        ("failure", {"error": "OperationalError: connection to server at 10.1.2.3 failed"}),
        ("pictures", {"problem": "The picture cannot be read: [Errno 13] '/srv/media/b.jpg'."}),
        ("pictures", {"problem": "cannot open /proc/self/fd/7"}),
    ],
)
def test_a_reason_tells_clients_nothing_of_the_server(check: str, evidence: dict) -> None:
    finding = Finding(check, "error", "review", image=None, evidence=evidence)
    told = reason(finding)["explanation"]
    assert not any(word in told for word in ("/", "Errno 2", "10.1.2.3"))
    assert explain(finding).endswith(next(iter(evidence.values())))  # operators see all of it


def test_a_reason_keeps_what_an_author_wrote() -> None:
    finding = Finding("rules", "spam", "review", evidence={"text": "see /a/b/c"})
    assert "/a/b/c" in reason(finding)["explanation"]
    assert (
        "time limit"
        in reason(
            Finding("failure", "other", "review", evidence={"problem": "the time limit is over"})
        )["explanation"]
    )


SHADOWS = some.builds(
    lambda label, score, image: Finding(
        SHADOW_CHECK, label, image=image,
        evidence={"detector": "sample", "scores": {label: score}, "would": "reject"},
    ),
    some.sampled_from(["nudity", "porn", "toxicity"]),
    some.floats(0, 1),
    some.sampled_from([None, 0]),
)  # fmt: skip
DECIDING = some.lists(
    some.builds(
        Finding,
        some.sampled_from(["rules", "known_hashes"]),
        some.sampled_from(["scam", "spam"]),
        some.sampled_from(["note", "allow", "review", "reject"]),
    )
    | some.builds(
        lambda score: Finding("classifier", "nudity", score=score, image=0), some.floats(0, 1)
    ),
    max_size=3,
)


@given(DECIDING, some.lists(SHADOWS, max_size=3))
def test_what_is_in_shadow_changes_nothing(found: list[Finding], shadow: list[Finding]) -> None:
    with_shadow, without = judge([*shadow, *found], Policy()), judge(found, Policy())
    for of in (lambda j: (j.verdict, j.score, j.reasons), main_label):
        assert of(with_shadow) == of(without)
    graphic = [is_graphic(each.findings, ("nudity",)) for each in (with_shadow, without)]
    assert graphic[0] == graphic[1]
    stored = with_shadow.findings[len(found) :]
    assert {each.check for each in stored} <= {SHADOW_CHECK}  # stored last


def test_a_finding_in_shadow_says_so() -> None:
    evidence = {"detector": "toxicity", "scores": {"toxicity": 0.914}}
    finding = Finding(SHADOW_CHECK, "toxicity", evidence=evidence)
    assert explain(finding) == "In shadow, toxicity scored the text toxicity at 0.91"
    evidence = {"detector": "nsfw_mobilenet", "scores": {"drawn_sexual": 0.5}}
    finding = Finding(SHADOW_CHECK, "drawn_sexual", image=1, evidence=evidence)
    words = "In shadow, nsfw_mobilenet scored picture 2 drawn sexual at 0.50"
    assert explain(finding) == words
