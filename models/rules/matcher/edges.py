"""Whether a match begins and ends where words do in the original text.

The automaton only knows letters and spaces. Apostrophes and hyphens also hold words together
("j'ai", "can't", "second-hand"), and a full stop parts sentences even without a space.
"""

from __future__ import annotations

import re

from models.rules.matcher.ordinary_words import LONGEST, are_ordinary, is_ordinary

APOSTROPHES = frozenset("'`\u00b4\u02b9\u02bc\u2018\u2019\u2032\uff07")
_HYPHENS = frozenset("-\u2010\u2011")
_SHORTEST_ELIDED = 4  # letters of a word that "l'" or "d'" may precede: "l'héroïne", not "j'ai"
_FIRST_WORD = re.compile(r"[^\W_]+")
_LAST_PART = re.compile(r"[^\W_]+\Z")
_SENTENCES = re.compile(r"(?<![^\W_])[a-z]{2,}\.[A-Z][a-z]")
_DIVIDERS = re.compile("[./|\u2013\u2026]+")  # between two words; other marks only inside one
_PARTED = re.compile("[^\\W_]{2}(?:\\s*\n\\s*|[/|\u2026]+|\\.{2,})[^\\W_]{2}")  # words of a phrase
_SPACE = re.compile(r"\s")


def is_whole(
    text: str, start: int, end: int, *, phrase: bool, joined: bool, together: bool
) -> bool:
    """Whether `text[start:end]` is a match of whole words.

    `phrase`: the match has several words; `joined`: it was joined from split words; `together`: it
    is a phrase whose words were run together.
    """
    hit = text[start:end]
    if start > 1 and text[start - 1] in APOSTROPHES and text[start - 2].isalnum():
        first = _FIRST_WORD.match(hit)
        if first is None or len(first[0]) < _SHORTEST_ELIDED:
            return False
    if _is_contracted(text, end):
        return False
    if phrase:
        return not (_SENTENCES.search(hit) or _opens_in_compound(text, start, hit))
    if together and _PARTED.search(hit):
        return False
    return not (joined and are_ordinary(hit, _DIVIDERS))


def _is_contracted(text: str, end: int) -> bool:
    """Whether the match is the beginning of a contraction ("can" in "can't")."""
    return (
        text[end - 1 : end] in ("n", "N")
        and text[end : end + 1] in APOSTROPHES
        and text[end + 1 : end + 2] in ("t", "T")
        and not text[end + 2 : end + 3].isalnum()
    )


def _opens_in_compound(text: str, start: int, hit: str) -> bool:
    """Whether a phrase begins inside a compound: "hand job" in "second-hand job"."""
    if start < 2 or text[start - 1] not in _HYPHENS or not _SPACE.search(hit):
        return False
    part = _LAST_PART.search(text[max(0, start - 2 * LONGEST) : start - 1])
    return part is not None and (len(part[0]) > LONGEST or is_ordinary(part[0].lower()))
