"""The pure decisions under any input: letters, rules, verdicts, modes, waits and pauses."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.capacity.mode import MODES, Load, choose
from models.capacity.wait_estimate import estimate
from models.rules.matcher.matcher import Matcher, RuleSpec
from models.rules.matcher.normalise import Folded
from models.settings import Settings
from models.verdict import REVIEW, VERDICTS, Finding, Policy, Thresholds, judge
from tasks.webhooks.deliver import LONGEST_PAUSE, pause, requested_pause
from tests.support.tried import tried

LONGEST_FOLD = 18  # letters of one character: ﷺ is a sentence
STEADY = settings(max_examples=200, derandomize=True, deadline=None, database=None)

# What a rule's word may look like, each a promise of its own; any of the first may go together.
HOMOGLYPHS = str.maketrans("aeopcxyi", "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456")
LEET = str.maketrans("aeiost", "43105" + "7")
LETTER_BY_LETTER = {
    "capitals": str.upper,
    "full width": lambda word: "".join(chr(ord(c) + 0xFEE0) for c in word),
    "bold": lambda word: "".join(chr(ord(c) - ord("a") + 0x1D41A) for c in word),
    "boxed": lambda word: "".join(chr(ord(c) - ord("a") + 0x1F130) for c in word),
    "accents": lambda word: "".join(c + "\u0301" for c in word),
    "nothing seen between": lambda word: "\u200b".join(word),
    "soft hyphens": lambda word: "\u00ad".join(word),
    "Cyrillic": lambda word: word.translate(HOMOGLYPHS),
    "digits": lambda word: word.translate(LEET),
}
WHOLE = {
    "spaced": " ".join,
    "dotted": ".".join,
    "hyphened": "-".join,
    "starred": "*".join,
    "split": lambda word: f"{word[:3]}-{word[3:]}",
    "masked": lambda word: f"{word[0]}*{word[2:]}",
    "masked twice": lambda word: f"{word[0]}**{word[3:]}",
    "drawn out": lambda word: f"{word[:2]}{word[2] * 3}{word[2:]}",
}
WORDS = ("blorvak", "tremifod", "wugnapel", "zhokunde")  # no language's
ENGLISH = "the quick brown fox jumps over a lazy dog and then we all go home"


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("way", [*LETTER_BY_LETTER, *WHOLE])
def test_a_planted_word_is_found_under_each_disguise(word: str, way: str) -> None:
    disguised = {**LETTER_BY_LETTER, **WHOLE}[way](word)
    assert found(word, f"so {disguised}, he said")
    assert found(word, disguised)
    tried(2)


@STEADY
@given(
    word=st.sampled_from(WORDS),
    ways=st.lists(st.sampled_from([*LETTER_BY_LETTER]), unique=True, min_size=2, max_size=3),
    before=st.text(st.sampled_from(ENGLISH), max_size=60),
)
def test_a_planted_word_is_found_under_several(word: str, ways: list[str], before: str) -> None:
    letters = []
    for letter, way in zip(word, itertools.cycle(ways)):
        letters.append(LETTER_BY_LETTER[way](letter))
    tried()
    assert found(word, f"{before}. {''.join(letters)}!")


def found(word: str, text: str) -> bool:
    matcher = Matcher([RuleSpec(1, "word", word, "reject", "other")])
    return any(match.rule.pattern == word for match in matcher.find(text))


def test_no_character_breaks_the_reading() -> None:
    """Bounded, and read again the same; of the ideographs of the higher planes some."""
    for code in [*range(0x20000), *range(0x20000, 0x110000, 101)]:
        letters = Folded(chr(code)).letters
        assert len(letters) <= LONGEST_FOLD + 4
        if code > 0x7F and letters.strip():
            again = Folded(letters).letters
            assert "".join(again.split()) == "".join(letters.split()), hex(code)


@STEADY
@given(st.text(max_size=200))
@example("\ud800\udfff\0")
@example("ﷺ" * 50)
def test_reading_what_was_read_changes_nothing(text: str) -> None:
    letters = Folded(text).letters
    assert "".join(Folded(letters).letters.split()) == "".join(letters.split())
    assert len(letters) <= (LONGEST_FOLD + 2) * len(text) + 2
    tried()


@STEADY
@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"]), max_size=300))
def test_any_text_is_matched_and_every_match_is_where_it_says(text: str) -> None:
    for match in USUAL.find(text):
        assert 0 <= match.start < match.end <= len(text)
        assert text[match.start : match.end] == match.text
    tried()


USUAL = Matcher(
    RuleSpec(number, kind, pattern, "reject", "other")
    for number, (kind, pattern) in enumerate(
        [("word", word) for word in WORDS]
        + [("phrase", "blorvak tremifod"), ("domain", "blorvak.com"), ("regex", r"\d{3}-\pL+")]
        + [("word", "三级片"), ("word", "сука"), ("word", "🖕")]
    )
)

SCORES = st.floats(0, 1) | st.sampled_from([math.nan, math.inf, -math.inf])
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(["rules", "known_hashes", "pictures", "duplicates", "failure"]),
        st.just("other"),
        st.sampled_from(["reject", "review", "allow", "note"]),
    )
    | st.builds(Finding, st.just("classifier"), st.just("nudity"), score=SCORES),
    max_size=6,
)
ORDER = ("approved", "review", "rejected")


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    review_at, reject_at = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    rate, visibility = draw(st.floats(0, 1)), draw(st.sampled_from(["hold", "publish_first"]))
    thresholds = {"nudity": Thresholds(review_at, reject_at)}
    return Policy(thresholds, rate, visibility)


@STEADY
@given(FINDINGS, policies(), st.floats(0, 1))
def test_every_finding_and_policy_has_a_verdict(findings, policy: Policy, sample: float) -> None:
    judged = judge(findings, policy, sample=sample)
    assert judged.verdict in VERDICTS
    assert judged.score is None or 0 <= judged.score <= 1
    tried()


@STEADY
@given(FINDINGS, policies(), st.sampled_from(["reject", "review"]))
def test_what_cannot_be_read_is_never_approved(findings, policy: Policy, action: str) -> None:
    worse = [*findings, Finding("pictures", "unreadable", action, image=0)]
    assert judge(worse, policy).verdict != "approved"
    tried()


@STEADY
@given(FINDINGS, policies(), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_score_that_is_no_number_is_never_approved(findings, policy: Policy, score) -> None:
    judged = judge([*findings, Finding("classifier", "nudity", score=score)], policy)
    assert judged.verdict != "approved"
    assert all(math.isfinite(reason.get("score", 0)) for reason in judged.reasons)
    tried()


@STEADY
@given(policies(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_is_never_judged_milder(policy: Policy, one: float, other: float) -> None:
    verdicts = [
        judge([Finding("classifier", "nudity", score=score)], policy).verdict
        for score in sorted([one, other])
    ]
    assert ORDER.index(verdicts[0]) <= ORDER.index(verdicts[1])


@STEADY
@given(FINDINGS, policies(), st.sampled_from(["reject", "review", "note", "allow"]))
def test_one_more_finding_never_makes_it_milder(findings, policy: Policy, action: str) -> None:
    before = judge(findings, policy).verdict
    after = judge([*findings, Finding("rules", "other", action)], policy).verdict
    assert ORDER.index(before) <= ORDER.index(after)


@STEADY
@given(FINDINGS, policies(), st.floats(0, 1))
def test_a_sample_only_turns_approvals_into_reviews(findings, policy: Policy, sample) -> None:
    without, drawn = judge(findings, policy), judge(findings, policy, sample=sample)
    if drawn.verdict != without.verdict:
        assert (without.verdict, drawn.verdict) == ("approved", REVIEW)
        assert sample < policy.sample_rate


THRESHOLDS = st.tuples(st.integers(1, 5000), st.integers(1, 5000)).map(sorted)


@STEADY
@given(THRESHOLDS, st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_the_mode_never_flaps(thresholds: list[int], depths: list[int]) -> None:
    """It is left only where the depth is below four fifths of its threshold."""
    low, high = thresholds
    setting = Settings(sync_max_depth=low, fast_track_depth=high)
    mode = "sync"
    for depth in depths:
        after = choose(Load(normal=depth), mode, setting)
        assert after in MODES
        if depth >= high:
            assert after == "fast_track"
        if mode == "fast_track" and after != mode:
            assert depth < 0.8 * high
        if mode == "async" and after == "sync":
            assert depth < 0.8 * low
        assert choose(Load(normal=depth), after, setting) == after  # it stays while nothing changes
        mode = after


@STEADY
@given(THRESHOLDS, st.sampled_from(MODES), st.integers(0, 9000), st.integers(0, 9000))
def test_a_deeper_queue_never_asks_for_a_slower_answer(thresholds, before, one, other) -> None:
    setting = Settings(sync_max_depth=thresholds[0], fast_track_depth=thresholds[1])
    order = ("sync", "async", "fast_track")
    modes = [choose(Load(normal=depth), before, setting) for depth in sorted([one, other])]
    assert order.index(modes[0]) <= order.index(modes[1])


RATES = st.lists(st.just(0.0) | st.floats(0.01, 1000), max_size=16)


@STEADY
@given(st.integers(0, 10**6), RATES)
def test_a_wait_is_a_number_that_grows_with_the_queue(ahead: int, rates: list[float]) -> None:
    wait = estimate(ahead, rates)
    assert 0 < wait < math.inf
    assert estimate(ahead + 1, rates) >= wait
    assert estimate(ahead, [*rates, 0.0]) <= wait * (1 + 1e-9)  # one more worker never slows it


@STEADY
@given(st.integers(1, 200))
def test_a_pause_between_tries_grows_and_is_bounded(attempts: int) -> None:
    now, later = pause(attempts), pause(attempts + 2)
    assert 0 < now <= LONGEST_PAUSE
    assert later > now or later >= 0.75 * LONGEST_PAUSE


@STEADY
@given(st.none() | st.text() | st.integers().map(str) | st.floats().map(str) | st.dates().map(str))
@example("Fri, 31 Dec 9999 23:59:59 GMT")
@example("9" * 400)
@example("-1")
@example("٣")
@example("Fri, 99 Dec 2026 99:99:99 +9999")
def test_any_retry_after_is_a_bounded_pause(text: str | None) -> None:
    assert 0 <= requested_pause(text) <= LONGEST_PAUSE
    tried()
