"""What joins words and what parts them: marks, punctuation, lines, apostrophes, compounds."""

import pytest

from models.rules.matcher.matcher import Matcher, RuleSpec

PHRASES = (
    "group sex", "date rape", "phone sex", "hand job", "casino bonus", "western union", "AI tool",
    "double penetration",
)  # fmt: skip
WORDS = ("AI", "can", "handjob", "heroin", "héroïne", "fuck", "ass")


def found(text: str, *rules: tuple[str, str]) -> list[str]:
    rules = rules or (
        *(("phrase", phrase) for phrase in PHRASES),
        *(("word", word) for word in WORDS),
    )
    specs = [RuleSpec(at, *rule, "review", "other") for at, rule in enumerate(rules)]
    return [match.rule.pattern for match in Matcher(specs).find(text)]


@pytest.mark.parametrize(
    "text",
    [
        "group: sex", "group; sex", "group, sex", "group. sex", "group (sex)", "group? sex",
        "group:sex", "casino,bonus", "casino...bonus", "casino…bonus", "casino! bonus",
        "date – rape", "date — rape", "date - rape", "date—rape", "date -- rape", "date -rape",
        "Phone\nSex", "Phone\r\nSex", "é Phone\nSex", "Phone\n\nSex", "phone / sex", "phone/sex",
        "phone | sex", "phone • sex", "#phone #sex", "phone & sex", "<li>phone</li><li>sex</li>",
        "Second-hand job lot", "right-hand job", "first\u2010hand job",
        "western\nunionization", "double\npenetration", "double/penetration",
        "He shook my hand.Job done", "hand/job", "hero.in", "hero/in", "second hand/job lot",
    ],
)  # fmt: skip
def test_punctuation_lines_and_compounds_part_words(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("group  sex", "group sex"),
        ("group\tsex", "group sex"),
        ("group\u00a0\u2003sex", "group sex"),
        ("group-sex", "group sex"),
        ("group_sex", "group sex"),
        ("group.sex", "group sex"),
        ("group*sex", "group sex"),
        ("group–sex", "group sex"),
        ("*group* _sex_", "group sex"),
        ('"group" sex', "group sex"),
        ("“group” sex", "group sex"),
        ("Western.Union", "western union"),
        ("anti-western-union", "western union"),
        ("xx-hand job", "hand job"),
        ("a second-hand-job", "hand job"),
        ("hero-in", "heroin"),
        ("han.djob", "handjob"),
    ],
)
def test_spaces_and_marks_of_evasion_join_words(text: str, pattern: str) -> None:
    assert pattern in found(text)


def test_a_pattern_may_have_punctuation_of_its_own() -> None:
    assert found("Group: sex", ("phrase", "group: sex")) == ["group: sex"]
    assert found("c4sino, bonus", ("phrase", "casino, bonus")) == ["casino, bonus"]
    assert found("group sex", ("phrase", "group: sex")) == []


@pytest.mark.parametrize(
    "text",
    ["j'ai", "J’AI", "j`ai vu", "j´ai", "j&#39;ai", "j'ai toolbox", "j'ai tool", "can't", "can’t"],
)
def test_an_apostrophe_opens_and_closes_no_word(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("the AI's answer", "AI"),
        ("'AI'", "AI"),
        ("say ‘AI’ now", "AI"),
        ("l'héroïne", "héroïne"),
        ("d’heroin", "heroin"),
        ("can'tina", "can"),
        ("f'u'c'k", "fuck"),
        ("ass'", "ass"),
    ],
)
def test_quotes_elisions_and_possessives_leave_words_whole(text: str, pattern: str) -> None:
    assert pattern in found(text)


@pytest.mark.parametrize(
    "text",
    ["can't.me", "can’t.me", "this.t.me()", "this.t.me(x)", "self.t.me(1)", "t.me()", "at.me"],
)
def test_no_domain_begins_in_a_word_or_is_a_call(text: str) -> None:
    assert found(text, ("domain", "t.me")) == []


@pytest.mark.parametrize(
    "text", ["t.me", "'t.me'", "see t.me/x", "a.t.me", "t.me (join)", "(t.me)"]
)
def test_a_domain_beside_marks_is_one(text: str) -> None:
    assert found(text, ("domain", "t.me")) == ["t.me"]
