"""Regular expressions made to hang or to fill the memory, and texts made for them."""

from __future__ import annotations

import random

import psutil
import pytest

from models.rules.matcher.matcher import (
    MAX_PATTERN,
    UNFINISHED,
    Matcher,
    PatternError,
    RuleSpec,
    effective,
    validate,
)
from models.rules.text_check import Matchers, check_text, matchers
from models.verdict import Policy, judge
from tests.support.api import Api, eventually
from tests.support.console import Console, person
from tests.support.stack import Stack
from tests.support.tried import tried

# What makes an engine that tries every way run for hours.
CATASTROPHES = [
    r"(a+)+$",
    r"(a|a)+$",
    r"(a|aa)+$",
    r"(.*a){20}c",
    r"(x+x+)+y",
    r"(?:a?){100}a{100}c",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"\s+$",
    r"(?:[^x]*[^y]*){30}q",
    r"\W*(?:\w+\W+){0,50}z",
    r"[ab]*a[ab]{900}c",
]
TOO_LARGE = [
    r"a[ab]{900}" * 5,
    r"\pL{50}x",
    r"(x{1000}){1000}",
    r"((a{100}){100}){100}",
    r".{1000}" * 60,
    r"(?:\pL{500}|\pN{500})",
    "(" * (MAX_PATTERN // 2) + ")" * (MAX_PATTERN // 2),
    r"\pL" * (MAX_PATTERN // 3),
]
TEXTS = ["a" * 100_000, "ab" * 50_000, " " * 100_000, "ä" * 100_000, "x" * 99_999 + "!"]


def rules(patterns: list[str]) -> list[RuleSpec]:
    return [RuleSpec(n, "regex", pattern, "reject", "other") for n, pattern in enumerate(patterns)]


@pytest.mark.parametrize("pattern", CATASTROPHES)
def test_a_catastrophe_of_other_engines_is_none(pattern: str) -> None:
    validate("regex", pattern)
    made = Matcher(rules([pattern]))
    for text in TEXTS:
        made.find(text)  # milliseconds to 2 s; the others would take years
        tried()


@pytest.mark.parametrize("pattern", TOO_LARGE, ids=lambda pattern: pattern[:20])
def test_what_compiles_to_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"^The .+\.$"):
        validate("regex", pattern)
    tried()


@pytest.fixture(scope="module")
def heavy() -> Matcher:
    """200 regexes, each as heavy as may be for the text of ``letters``."""
    patterns = [f"a[ab]{{{300 + n}}}c|[ab]*d[ab]{{{1000 - n}}}e" for n in range(200)]
    return Matcher(rules(patterns))


@pytest.fixture(scope="module")
def letters() -> str:
    """Without a pattern that an automaton could learn."""
    return "".join(random.Random(1).choices("ab", k=100_000))


def test_many_heavy_ones_end_together_and_leave_the_text_to_a_person(heavy, letters) -> None:
    before = psutil.Process().memory_info().rss
    found = heavy.find(letters)
    assert [match.rule for match in found] == [UNFINISHED]
    assert psutil.Process().memory_info().rss - before < 300_000_000
    tried()


def test_an_unfinished_text_is_never_approved(heavy, letters, monkeypatch) -> None:
    made = Matchers([])
    monkeypatch.setattr(made, "of", lambda languages: heavy)
    monkeypatch.setattr(matchers, "get", lambda: made)
    [finding] = check_text("", letters)
    assert judge([finding], Policy()).verdict == "review"
    assert judge([finding], Policy()).reasons[0]["explanation"].endswith("on the description")


def test_no_exception_covers_an_unfinished_text(letters) -> None:
    rest = [f"a[ab]{{{300 + n}}}c|[ab]*d[ab]{{{1000 - n}}}e" for n in range(200)]
    allow = RuleSpec(999, "regex", "^[ab]+", "allow", "other")
    found = Matcher([allow, *rules(rest)]).find(letters)
    assert UNFINISHED in [match.rule for match in effective(found)]


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.mark.parametrize("pattern", TOO_LARGE[:3])
def test_the_form_the_trial_and_the_import_refuse_it(admin: Console, pattern: str) -> None:
    facts = {"kind": "regex", "pattern": pattern, "action": "reject", "label": "scam"}
    sheet = f"kind,pattern,action,label\nregex,{pattern},reject,scam\n"
    data = {"csrf_token": admin.token("/rules/import")}
    added = admin.post("/rules", **facts)
    sent = admin.http.post(admin.url + "/rules/import", data=data, files={"file": ("x.csv", sheet)})
    assert (added.status_code, sent.status_code) == (422, 422)
    for reply in (added, sent, admin.post("/rules/try", form="/rules", **facts)):
        assert "The regular expression" in reply.text
        tried()


def test_uploads_go_on_beside_a_hostile_rule(stack: Stack, api: Api, admin: Console) -> None:
    hostile = [r"(zq+)+$", r"(zq|zqzq)+!$", r"(.*zq){20}c"]
    for pattern in hostile:
        facts = {"kind": "regex", "pattern": pattern, "action": "reject", "label": "scam"}
        assert admin.post("/rules", **facts).status_code == 200
    eventually(lambda: api.decided(title="b zqzqzq")["verdict"] == "rejected")
    told = api.decided(title="x", description="zq" * 49_999 + "?")
    assert told["verdict"] == "approved"
    tried()
