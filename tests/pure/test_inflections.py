"""Inflected forms of rules, and the matchers of languages."""

from __future__ import annotations

import pytest

from models.rules.inflections import LANGUAGES, MOST_FORMS, forms
from models.rules.matcher.matcher import RuleSpec
from models.rules.text_check import MOST_MADE, Matchers, SetRule, outermost


def rule(number: int, pattern: str, language: str = "en", kind: str = "word", **more) -> SetRule:
    spec = RuleSpec(number, kind, pattern, more.get("action", "review"), "other")
    return SetRule(spec, language, more.get("inflections", True))


@pytest.mark.parametrize(
    ("language", "word", "some"),
    [
        ("en", "troll", "trolls trolled trolling trollin troller trollers trolly trollish trollz"),
        ("en", "smig", "smigs smigged smigging smigger smiggers smiggy smiggier"),
        ("en", "snake", "snakes snaked snaking snaker snakers snaky snakish"),
        ("en", "party", "parties partied partying partier"),
        ("en", "fish", "fishes fished fishing fisher"),
        ("en", "potato", "potatoes potatos"),
        ("sv", "gurka", "gurkor gurkan gurkorna"),
        ("da", "hest", "hesten heste heste hestens"),
        ("no", "hest", "hesten hester hestene"),
        ("de", "lampe", "lampen"),
        ("nl", "tomaat", "tomaatje"),
        ("es", "tonto", "tontos tonta tontas tontito"),
        ("pt", "canção", "canções"),
        ("it", "gatto", "gatti gatta gatte gattone"),
        ("fr", "tableau", "tableaux"),
        ("pl", "brat", "brata bratem braty bratów"),
        ("ru", "стол", "стола столом столы столов"),
    ],
)
def test_regular_forms_of_a_word(language: str, word: str, some: str) -> None:
    made = forms(word, [language])
    assert not set(some.split()) - set(made)
    assert word not in made
    assert len(made) == len(set(made)) <= MOST_FORMS


def test_the_first_and_the_last_word_of_a_phrase_are_inflected() -> None:
    made = forms("sell old coin", ["en"])
    assert {"selling old coin", "sell old coins"} <= set(made)
    assert "sell olds coin" not in made


@pytest.mark.parametrize("pattern", ["", " ", "ca", "c++", "no1ce", "ภาษา", "a b"])
def test_what_has_no_regular_forms_gets_none(pattern: str) -> None:
    assert forms(pattern, ["en", "th", "nonsense"]) == ()


def test_a_word_of_three_letters_gets_plurals_only() -> None:
    assert forms("wug", ["en"]) == ("wugs", "wugz")


def test_every_language_with_suffixes_inflects_some_word() -> None:
    for language in LANGUAGES:
        assert forms("тестоба" if language == "ru" else "testoba", [language])


def test_a_rule_matches_its_forms_with_every_evasion_once() -> None:
    matcher = Matchers([rule(1, "troll")]).of(["en"])
    for text in ("Trolls!", "tr0lling", "t r o l l e r s", "ｔｒｏｌｌｓ", "troll's"):
        assert [match.rule.id for match in outermost(matcher.find(text))] == [1], text
    for text in ("patrolling", "stroller", "trolley", "controlled"):
        assert matcher.find(text) == [], text


def test_a_rule_that_does_not_ask_for_forms_matches_the_word_alone() -> None:
    matcher = Matchers([rule(1, "troll", inflections=False)]).of(["en"])
    assert matcher.find("trolls") == []
    assert len(matcher.find("troll")) == 1


@pytest.mark.parametrize("kind", ["regex", "domain"])
def test_only_words_and_phrases_have_forms(kind: str) -> None:
    matcher = Matchers([rule(1, "troll.com", kind=kind)]).of(["en"])
    assert len(matcher.find("troll.com")) == 1
    assert matcher.find("trolls.com") == []


def test_a_rule_of_every_language_has_the_forms_of_the_clients_languages() -> None:
    matchers = Matchers([rule(1, "gurka", language="")])
    assert matchers.of(["sv"]).find("gurkor") != []
    assert matchers.of(["en"]).find("gurkor") == []
    assert matchers.of(["en", "sv"]).find("gurkas, gurkor") != []


def test_a_form_that_is_a_rule_itself_matches_once() -> None:
    matcher = Matchers([rule(1, "troll"), rule(2, "trolls"), rule(3, "trolly")]).of(["en"])
    assert [match.rule.id for match in matcher.find("trolls")] == [2]
    assert [match.rule.id for match in matcher.find("trollies")] == [3]


def test_a_form_of_a_rule_with_another_action_is_kept() -> None:
    matcher = Matchers([rule(1, "troll"), rule(2, "trolls", action="reject")]).of(["en"])
    assert {match.rule.id for match in matcher.find("trolls")} == {1, 2}


def test_matchers_are_shared_by_clients_with_the_same_rules() -> None:
    matchers = Matchers([rule(1, "troll"), rule(2, "gurka", "sv")], defaults=["en"])
    assert matchers.of(None) is matchers.of(["en"]) is matchers.of(["en", "th"])
    assert matchers.of(["sv", "en"]) is matchers.of(["en", "sv"]) is not matchers.of(["sv"])
    assert matchers.of(["en"]).find("gurka") == []
    assert [match.rule.id for match in matchers.of(["en", "sv"]).find("troll gurka")] == [1, 2]


def test_the_same_rule_in_two_languages_matches_once() -> None:
    matchers = Matchers([rule(1, "puta", "es"), rule(2, "puta", "pt")])
    assert [match.rule.id for match in matchers.of(["es", "pt"]).find("puta")] == [1]
    assert [match.rule.id for match in matchers.of(["pt"]).find("puta")] == [2]


def test_an_exception_of_a_language_does_not_reach_other_clients() -> None:
    matchers = Matchers([rule(1, "slut"), rule(2, "slut", "sv", action="allow")])
    assert {match.rule.id for match in matchers.of(["en"]).find("slut")} == {1}
    assert {match.rule.id for match in matchers.of(["en", "sv"]).find("slut")} == {1, 2}


def test_few_matchers_are_kept_however_many_selections_there_are() -> None:
    codes = sorted(LANGUAGES)
    matchers = Matchers([rule(n, "troll", language=code) for n, code in enumerate(codes)])
    selections = [codes[: n + 1] for n in range(len(codes))] + [[code] for code in codes]
    for selection in selections:
        assert matchers.of(selection).find("a troll")
    assert len(selections) > MOST_MADE >= len(matchers._made)
    assert matchers.of(codes) is matchers.of(codes)
