"""Verifies that a candidate with the shape of a pattern actually spells it."""

from __future__ import annotations

import re
from itertools import groupby

from models.rules.matcher.normalise import Folded, scripts_of
from models.rules.matcher.split_words import EMOJI
from models.rules.matcher.text_views import RARELY_DOUBLED, READINGS

# What may stand between two words of a phrase: spaces, with marks of emphasis or quotes at the
# words ("*blow* job"), marks of evasion without spaces ("blow_job"), an emoji. Sentence punctuation
# ("group: sex", "casino, bonus", "date – rape"), slashes and line breaks part the words.
_QUOTES = r"*_~`'\"\u2018\u2019\u201c\u201d\u00ab\u00bb"
_BRIDGE = re.compile(
    rf"[{_QUOTES}]{{0,3}}[^\S\n\r\v\f]+[{_QUOTES}]{{0,3}}"
    rf"|(?:(?!\.\.)[-\u2010-\u2013{_QUOTES}\u00b4\\|^+=.#\u00b7•\u30fb]){{1,3}}"
    rf"|[^\S\n\r\v\f]*[{EMOJI}]{{1,2}}[^\S\n\r\v\f]*"
)
_QUANTITY = re.compile(r"\d{2,}\D+|\D+\d{2,}|[^a-z]*\d[^a-z]*")
_LOOSE_PUNCTUATION = frozenset("-_.,'`\u2019\u2010\u2011")


def spells(pattern: tuple[str, str], candidate: tuple[str, str]) -> bool:
    """Whether the candidate spells the pattern; each is a (shape, letters) pair.

    They are compared run by run ("viaaagra" is v, i, aaa, g, r, a), to allow stretched letters.
    """
    if pattern[1] == candidate[1]:
        return True
    if len(candidate[0]) < len(pattern[0]) and " " not in pattern[0]:
        return False
    expected, got = _runs(*pattern), _runs(*candidate)
    if [kind for kind, _ in expected] != [kind for kind, _ in got]:
        return False
    paired = zip(expected, got, strict=True)
    if not all(_same_run(kind, want, have) for (kind, want), (_, have) in paired):
        return False
    return _has_digit(pattern[1]) or not any(map(_is_quantity, candidate[1].split()))


def _runs(shape: str, letters: str) -> list[tuple[str, str]]:
    pairs = groupby(zip(shape, letters, strict=True), key=lambda pair: pair[0])
    return [(kind, "".join([letter for _, letter in run])) for kind, run in pairs]


def _same_run(kind: str, want: str, have: str) -> bool:
    if want == have:
        return True
    if kind == " ":
        return _same_gap(want, have)
    if not all(map(_is_alphabetic, want)):
        return False
    return _reads_as(want, have) or _is_stretched(want, have)


def _same_gap(want: str, have: str) -> bool:
    """Symbols of the pattern ("s&m") are required; else the gap must not part the words."""
    if not is_loose(want):
        return _required(want) <= set(have)
    return _BRIDGE.fullmatch(have) is not None


def is_loose(gap: str) -> bool:
    """Whether a gap of a pattern requires no symbol, so any gap that bridges matches."""
    return not _required(gap)


def _required(gap: str) -> set[str]:
    return {char for char in gap if not char.isspace() and char not in _LOOSE_PUNCTUATION}


def _reads_as(want: str, have: str) -> bool:
    return len(want) == len(have) and all(map(_stands_for, have, want))


def _stands_for(char: str, letter: str) -> bool:
    return char == letter or letter in READINGS.get(char, "")


def _is_stretched(want: str, have: str) -> bool:
    """Whether `have` is `want` stretched: a letter 3 times or more, or a rarely doubled one twice.

    "viaaagra" and "fuuck" are; "rapper" is not "raper", and fewer letters never match.
    """
    if len(set(want)) > 1:  # letters of one class side by side, as in "kill"
        expected, got = _runs(want, want), _runs(have, have)
        return [kind for kind, _ in expected] == [kind for kind, _ in got] and all(
            part == drawn or _is_stretched(part, drawn)
            for (_, part), (_, drawn) in zip(expected, got, strict=True)
        )
    letter, length = want[0], len(have)
    drawn_out = length > len(want) and (length >= 3 or letter in RARELY_DOUBLED)
    return drawn_out and all(_stands_for(char, letter) for char in have)


def _is_alphabetic(char: str) -> bool:
    """Whether the letter may be replaced or stretched; ideographs and digits may not."""
    return char.lower() != char.upper() or "\u0590" <= char <= "\u08ff"


def _is_quantity(word: str) -> bool:
    """Whether a word with digits is a number or a model ("455", "a55", "100ml"), not a spelling."""
    return _has_digit(word) and _QUANTITY.fullmatch(word) is not None


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def is_foreign(pattern: str, hit: str, folded: Folded) -> bool:
    """Whether a match is a real word of another script, such as Russian "сок" (juice).

    True if match and pattern share no script, and the text is written in the match's script.
    """
    if pattern.isascii() and hit.isascii():
        return False
    theirs = scripts_of(hit)
    return theirs.isdisjoint(scripts_of(pattern)) and any(map(folded.is_written_in, theirs))
