"""Inflected forms of a rule's words: plurals, cases and verb forms, by suffix classes. Pure.

The classes are those of regular words, so a form may not exist; a form that nobody writes matches
nothing. Irregular forms need rules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SHORTEST_STEM = 3  # letters
KINDS = ("word", "phrase")  # kinds of rules that have inflected forms
MOST_FORMS = 60  # of one rule

# By language: what a word may end in, and what then stands in its place. The first class whose
# ending fits is used; "" fits every word.
Classes = tuple[tuple[str, str], ...]
_SUFFIXES: dict[str, Classes] = {
    "da": (("e", "e en er ede es erne ende et"), ("", "en et e er ene erne s ens ets")),
    "de": (
        ("en", "e st t et te ten end er ern ende"),
        ("er", "ern ers erin erinnen e"),
        ("e", "en es er em ern"),
        ("", "s es e en er ern ens in innen"),
    ),
    "es": (
        ("ar", "a as an ado ada ados adas ando o é ó"),
        ("er", "e es en ido ida idos idas iendo o"),
        ("or", "ores ora oras"),
        ("ón", "ones ona onas"),
        ("z", "ces"),
        ("o", "os a as ito itos ita itas ón"),
        ("a", "as ita itas ón azo"),
        ("", "s es"),
    ),
    "fr": (
        ("eau", "eaux"),
        ("er", "e es ent é ée és ées ant ait ez"),
        ("eur", "eurs euse euses"),
        ("ard", "ards arde ardes"),
        ("x", "se ses"),
        ("", "s e es"),
    ),
    "it": (
        ("are", "o i a ano ato ata ati ate ando"),
        ("ca", "che"),
        ("co", "chi ca che hi ci"),
        ("ga", "ghe"),
        ("go", "ghi ga ghe"),
        ("o", "i a e one oni etto etti"),
        ("a", "e ona one etta ette"),
        ("e", "i a"),
    ),
    "nl": (("en", "t te ten de den end er ers"), ("e", "n s"), ("", "s en je jes e er ers")),
    "no": (("e", "er en a te et r ene ende"), ("", "en et a e er ene s ens")),
    "pl": (
        ("ać", "a am asz ają ał ała ali any ana ane aj"),
        ("ić", "i ię isz ią ił iła ili iony"),
        ("a", "y i ę ą o e om ami ach"),
        ("y", "a e ego emu ym ą ych ymi"),
        ("", "a u owi em ie y i ów om ami ach"),
    ),
    "pt": (
        ("ar", "a as am ado ada ados adas ando o ou"),
        ("er", "e es em ido ida idos idas endo o eu"),
        ("ão", "ões ona onas"),
        ("al", "ais"),
        ("r", "res ra ras"),
        ("o", "os a as inho inha"),
        ("a", "as inha inhas ão"),
        ("", "s"),
    ),
    "ru": (
        ("ать", "аю ает ают ал ала али ай"),
        ("ить", "ю ит ят ил ила или"),
        ("ый", "ая ое ые ого ому ым ых ую ой ыми"),
        ("а", "ы и у е ой ою ам ами ах"),
        ("я", "и ю е ей ям ями ях"),
        ("ь", "и ью ей ям ями ях я ю ем"),
        ("й", "я ю ем и ев ям ями ях"),
        ("о", "а у ом е"),
        ("", "а у ом е ы и ов ам ами ах"),
    ),
    "sv": (
        ("a", "or an ans orna orna ar ade at ande"),
        ("", "en et ar er or arna erna s ens ets ad"),
    ),
}
LANGUAGES = frozenset({"en", *_SUFFIXES})  # languages with suffix classes
_LATIN = re.compile("[a-z\u00df-\u024f]+")
_CYRILLIC = re.compile("[\u0400-\u04ff]+")
_CONSONANT = "[^aeiouy\\W\\d_]"
_SIBILANT = re.compile("(?:s|x|z|ch|sh)$")
_CONSONANT_Y = re.compile(f"{_CONSONANT}y$")
_SHORT_VOWEL = re.compile(f"(?:^|{_CONSONANT}|qu)[aeiou][bdfgklmnprtvz]$")
_VERB = ("ed", "ing", "in", "er", "ers", "y")


def forms(pattern: str, languages: Iterable[str]) -> tuple[str, ...]:
    """The inflected forms of a word, or of the first and the last word of a phrase.

    ``languages`` are codes; those without suffix classes add nothing. At most MOST_FORMS forms,
    without the pattern itself.
    """
    words = pattern.split()
    result: dict[str, None] = {}
    for language in languages:
        for position in {0, len(words) - 1} if words else ():
            for form in _inflect(words[position].lower(), language):
                changed = [*words[:position], form, *words[position + 1 :]]
                result[" ".join(changed)] = None
    result.pop(pattern, None)
    return tuple(result)[:MOST_FORMS]


def _inflect(word: str, language: str) -> Iterator[str]:
    script = _CYRILLIC if language == "ru" else _LATIN
    if language not in LANGUAGES or len(word) < SHORTEST_STEM or not script.fullmatch(word):
        return
    if language == "en":
        yield from _english(word)
        return
    for ending, suffixes in _SUFFIXES[language]:
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            if len(stem) >= SHORTEST_STEM:
                yield from (stem + suffix for suffix in suffixes.split())
            return


def _english(word: str) -> Iterator[str]:
    """Plurals; then, by the spelling of the word's end, verb forms, agents and adjectives.

    A possessive needs no form: "word's" matches as the word. Words of three letters get plurals
    only, as further forms are too often other words ("titter").
    """
    yield from _english_plurals(word)
    if len(word) == SHORTEST_STEM:
        return
    if word.endswith("e"):
        yield from (word[:-1] + suffix for suffix in (*_VERB, "ish"))
    elif _CONSONANT_Y.search(word):
        yield from (word[:-1] + suffix for suffix in ("ied", "ier", "iest"))
        yield f"{word}ing"
    else:
        yield from (word + suffix for suffix in (*_VERB, "ish"))
        if _SHORT_VOWEL.search(word):
            yield from (word + word[-1] + suffix for suffix in (*_VERB, "ier", "iest", "ish"))


def _english_plurals(word: str) -> Iterator[str]:
    if _SIBILANT.search(word):
        yield f"{word}es"
        return
    yield f"{word}s"
    yield f"{word}z"
    if word.endswith("o"):
        yield f"{word}es"
    if _CONSONANT_Y.search(word):
        yield f"{word[:-1]}ies"
