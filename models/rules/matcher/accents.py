"""The accents that the author of a pattern wrote: "coño" does not match "cono".

Letters are compared without accents, as accents are a way to evade ("vïagra"). A pattern's own
accents must be in the text, in their order, unless the rule ignores accents. The dotless ı is a
letter of its own in Turkish words ("sık") and an evasion elsewhere ("vıagra").
"""

from __future__ import annotations

import re
import unicodedata

from models.rules.matcher.look_alikes import look_alikes
from models.rules.matcher.ordinary_words import is_mostly_ordinary

DOTLESS = "\u0131"
_MARKS = re.compile("[\u0300-\u036f]")
_DOT_ABOVE = "\u0307"  # what the lower case of İ has
_BARRED = frozenset("łøđħŧƀ")  # accented letters that Unicode does not decompose
_LATIN = re.compile("[a-z\u00df-\u024f\u1e00-\u1eff]")

# Russian may be written without the dots of ё; accents of Greek, Hebrew and Arabic are optional.
_CYRILLIC = re.compile("[а-дж-яѐ-џ]")

# A Turkish word with ı: syllables of a back vowel, with at most one consonant at the ends.
_CONSONANTS = "bcçdfgğhjklmnprsştvyz"
_TURKISH = re.compile(f"[{_CONSONANTS}]?[aıou](?:[{_CONSONANTS}]{{1,2}}[aıou])*[{_CONSONANTS}]?")
_NOT_TURKISH = re.compile("[qwxQWX]")
_WORD = re.compile(r"\w+")
_LOOKED_AT = 1000  # characters that show the language of a text


def required_accents(pattern: str) -> tuple[str, ...]:
    """The accented letters that a text must have: those of Latin and Cyrillic letters."""
    return tuple(
        letter for raw, letter in _accented(pattern) if _LATIN.match(raw) or _CYRILLIC.match(raw)
    )


def has_accents(required: tuple[str, ...], text: str) -> bool:
    """Whether the text has these accented letters in this order; a capital I may be a dotless i."""
    letters = iter([letter for _, letter in _accented(text.replace("I", DOTLESS))])
    return all(any(letter == have for have in letters) for letter in required)


def is_turkish(hit: str, text: str) -> bool:
    """Whether a dotless i in the hit is a letter of a Turkish word, so it imitates no other i."""
    if DOTLESS not in hit or _is_not_turkish(text.replace(hit, " ")[:_LOOKED_AT]):
        return False
    words = _WORD.findall(hit.lower())
    if len(max(words, key=len)) == 1:  # a row of single letters
        words = ["".join(words)]
    return all(_TURKISH.fullmatch(word) for word in words if DOTLESS in word)


def _is_not_turkish(rest: str) -> bool:
    """Whether the rest of the text has a letter that Turkish lacks, or is mostly English."""
    return _NOT_TURKISH.search(rest) is not None or is_mostly_ordinary(rest)


def _accented(text: str) -> list[tuple[str, str]]:
    """The accented letters in lower case: the letter as written, and as it looks."""
    found: list[tuple[str, str]] = []
    base, marks = "", ""
    for char in f"{unicodedata.normalize('NFD', text.lower())} ":
        if _MARKS.match(char):
            marks += "" if base == "i" and char == _DOT_ABOVE else char
            continue
        if marks or base in _BARRED or base == DOTLESS:
            looks = base if base in _BARRED or base == DOTLESS else look_alikes().get(base, base)
            found.append((base, looks + marks))
        base, marks = char, ""
    return found
