"""Masked words as the automaton looks them up: alone, and as words of a phrase."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from models.rules.matcher.split_words import JOIN, Piece
from models.rules.matcher.text_views import View

_LONGEST_PHRASE = 4  # words of a phrase of which one is masked
_WEAK = frozenset(".-")
_WORD = re.compile("[^ ]+")


def with_masks(shape: str, masked: Sequence[Piece]) -> str:
    """The shape with JOIN, not spaces, for masked letters."""
    chars = list(shape)
    for start, end in masked:
        chars[start:end] = shape[start:end].replace(" ", JOIN)
    return "".join(chars)


def words_of(shape: str) -> list[Piece]:
    """The words of a shape."""
    return [word.span() for word in _WORD.finditer(shape)]


def candidates(view: View, shape: str, phrase_words: Container[str]) -> Iterator[list[Piece]]:
    """The words to look up together: each masked word, and the phrases that may contain it.

    `shape` is the view's with masks; `phrase_words` are the words of all phrases. A dot or a hyphen
    is too common for a mask in a phrase. Of the words around a masked one, only one may be masked
    too, so the look-ups stay few.
    """
    yield from ([word] for word in view.masked)
    masked = [word for word in view.masked if _WEAK.isdisjoint(view.letters[slice(*word)])]
    if not masked:
        return
    words = words_of(shape)
    usable = [JOIN in word or word in phrase_words for word in shape.split()]
    places = {word: at for at, word in enumerate(words)}
    for one in masked:
        if one in places:
            yield from _phrases(words, usable, places[one], shape)


def _phrases(
    words: Sequence[Piece], usable: Sequence[bool], at: int, shape: str
) -> Iterator[list[Piece]]:
    first = last = at
    while first > 0 and at - first < _LONGEST_PHRASE - 1 and usable[first - 1]:
        first -= 1
    while last + 1 < len(words) and last - at < _LONGEST_PHRASE - 1 and usable[last + 1]:
        last += 1
    for begin in range(first, at + 1):
        for end in range(max(at, begin + 1), min(last, begin + _LONGEST_PHRASE - 1) + 1):
            phrase = words[begin : end + 1]
            if sum(JOIN in shape[slice(*word)] for word in phrase) <= 2:
                yield [*phrase]
