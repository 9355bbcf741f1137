"""Letters as the shapes that an automaton scans, in each of the ways a text may be read.

A shape has each letter as its class: leetspeak and the letters it stands for share one (`i`, `l`
and `1` are all `i`), and what is no word is a space. A text is read as it stands, with symbols as
letters ("$hit"), and with words joined that were split ("v i a g r a", "vi-agra"); each of these
with single spaces and, where letters are drawn out, without runs ("fuuuck"). A shape that matches
must still be spelled out against the letters (see `models.spelling`).

Every step is a C-level pass over the text; the way back is worked out only when it is asked for.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

import re2

from models.normalise import TABLE_LIMIT, Folded

_BREAK = -1  # among places: here one joined word ends and another, from elsewhere, begins
JOIN = "\x01"  # stands, inside a shape, for punctuation that may sit inside one word
_JOINERS = frozenset("._-*~'`/\\|^\u00b4·•\u2010\u2011\u2013\u2018\u2019\u30fb")
_DIGIT_CLASS = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g"}
_SYMBOL_CLASS = {"@": "a", "$": "s", "!": "i", "|": "i", "+": "t", "€": "e", "£": "l"}

# What a leet character may be read as. `1` is an i in "v1agra" and an l in "1oser".
READINGS = {
    **_DIGIT_CLASS,
    **_SYMBOL_CLASS,
    **dict.fromkeys("1!|", "il"),
}
_SINGLES = re.compile(" [^ ](?: {1,3}[^ ]){2,}(?= )")
_INNER_JOIN = re.compile(f"{JOIN}+(?=[^ {JOIN}])")
_BANG_INSIDE = re.compile(r"!\w")

# "shit!" ends in punctuation, "sh!t" does not.
_CLOSING_SYMBOLS = re.compile(r"[!|+]+(?![\w@$€£])")
_SPACES = re.compile(" {2,}")
_RUNS = re.compile(r"(.)\1+", re.DOTALL)

# No ordinary word has three of a letter; these do not even have two. (RE2 answers in 2 µs a KB.)
RARELY_DOUBLED = frozenset("ahjkquvwxy")

# In shapes, "ill" is already three i: four of these, or three of one letter, are asked for.
_STRETCHED = re2.compile(
    "|".join(
        ["iiii"]
        + [letter * 3 for letter in "abcdefghjkmnopqrstuvwxyz"]
        + [letter * 3 for letter in map(chr, range(0x430, 0x450))]
        + [letter * 3 for letter in map(chr, [*range(0x3B1, 0x3CA), *range(0x627, 0x64B)])]
        + [letter * 2 for letter in sorted(RARELY_DOUBLED)]
    )
)


class _Shapes(dict[int, str]):
    """`str.translate` table from letters to shapes, always one character for one."""

    def __init__(self, classes: dict[str, str]) -> None:
        super().__init__()
        self.classes = classes

    def __missing__(self, code: int) -> str:
        shape = self._shape(chr(code))
        if len(self) < TABLE_LIMIT:
            self[code] = shape
        return shape

    def _shape(self, char: str) -> str:
        if char in self.classes:
            return self.classes[char]
        if char in _JOINERS:
            return JOIN
        return char if _in_word(char) else " "


def _in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


_CLASSES = {**{letter: letter for letter in "abcdefghijkmnopqrstuvwxyz"}, "l": "i", **_DIGIT_CLASS}
_PLAIN = _Shapes(_CLASSES)
_LEET = _Shapes({**_CLASSES, **_SYMBOL_CLASS})


class View:
    """One way to read a text: its shape, and the letters behind each character of the shape."""

    __slots__ = ("_picks", "folded", "letters", "shape")

    def __init__(self, folded: Folded, shape: str, picks: list[int] | None = None) -> None:
        self.folded = folded
        self.shape = shape
        self._picks = picks
        if picks is None:
            self.letters = folded.letters
        else:
            self.letters = "".join([folded.letters[pick] for pick in picks])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original text of `shape[start:end]`, which is not empty."""
        first = start if self._picks is None else self._picks[start]
        last = end - 1 if self._picks is None else self._picks[end - 1]
        return self.folded.place(first), self.folded.place(last + 1)


class Squeezed:
    """A shape with runs of spaces (or of any character) cut to one, and the way back."""

    __slots__ = ("_heads", "_runs", "_tails", "everything", "shape", "squeezed")

    def __init__(self, shape: str, *, everything: bool = False) -> None:
        self.shape = shape
        self.everything = everything
        self._runs = _RUNS if everything else _SPACES
        self.squeezed = _RUNS.sub(r"\1", shape) if everything else _single_spaced(shape)
        self._heads: list[int] = []
        self._tails: list[int] = []

    def place(self, index: int) -> int:
        """Where in the shape the squeezed character at `index` begins."""
        if not self._heads:
            runs = [run.span() for run in self._runs.finditer(self.shape)]
            removed = accumulate(end - start - 1 for start, end in runs)
            self._tails = [0, *(end for _, end in runs)]
            self._heads = [0, *(end - gone for (_, end), gone in zip(runs, removed, strict=True))]
        at = bisect_right(self._heads, index) - 1
        return self._tails[at] + index - self._heads[at]


def _single_spaced(shape: str) -> str:
    while "  " in shape:
        shape = shape.replace("  ", " ")
    return shape


def plain_view(text: str) -> View:
    """The text as it stands: symbols separate, digits may be letters. Patterns are read so."""
    folded = Folded(text)
    return View(folded, folded.letters.translate(_PLAIN).replace(JOIN, " "))


def views(folded: Folded) -> Iterator[View]:
    """All readings of a text: as it stands, with symbols as letters, with split words joined."""
    yield from _readings(folded, folded.letters.translate(_PLAIN))
    if _has_leet_symbol(folded.letters):
        letters = _CLOSING_SYMBOLS.sub(lambda found: " " * len(found[0]), folded.letters)
        yield from _readings(folded, letters.translate(_LEET))


def _has_leet_symbol(letters: str) -> bool:
    if "!" in letters and _BANG_INSIDE.search(letters):
        return True
    return any(symbol in letters for symbol in _SYMBOL_CLASS if symbol != "!")


def squeezes(view: View) -> Iterator[Squeezed]:
    """The shape with single spaces; and, where letters are stretched ("fuuuck"), without runs."""
    yield Squeezed(view.shape)
    if "iii" in view.letters or "lll" in view.letters or _STRETCHED.search(view.shape):
        yield Squeezed(view.shape, everything=True)


def _readings(folded: Folded, marked: str) -> Iterator[View]:
    shape = marked.replace(JOIN, " ")
    yield View(folded, shape)
    picks = [*_dotted_words(marked), *_spaced_words(shape)]
    if picks:
        yield View(folded, "".join([shape[at] if at >= 0 else "\n" for at in picks]), picks)


def _dotted_words(marked: str) -> Iterator[int]:
    """Places of the letters of words like "f.uck" and "via-gra", without what splits them.

    Words of three letters are left alone: "cu.m" is a measure.
    """
    done = 0
    for join in _INNER_JOIN.finditer(marked):
        if join.start() < done or marked[join.start() - 1] == " ":
            continue
        start, done = marked.rfind(" ", 0, join.start()) + 1, marked.find(" ", join.end())
        letters = [at for at in range(start, done) if marked[at] != JOIN]
        if len(letters) > 3:
            yield from (_BREAK, start - 1, *letters, done)


def _spaced_words(shape: str) -> Iterator[int]:
    """Places of letters that stand alone in a row ("v i a g r a"); wider gaps part the words.

    Only single letters join: "push it" and "smart watch" never do. A row may begin or end with a
    word of one letter ("a v i a g r a"), so it is also read without it.
    """
    for row in _SINGLES.finditer(shape):
        start, end = row.start() + 1, row.end()
        singles = _parted(shape, start, end)
        for first in {0, int(shape[start] in "ai")}:
            for last in {len(singles), len(singles) - int(shape[end - 1] in "aiu24")}:
                yield from (_BREAK, start - 1, *singles[first:last], end)


def _parted(shape: str, start: int, end: int) -> list[int]:
    """Places of the letters in `shape[start:end]`, and of one space in each wider gap."""
    letters = [at for at in range(start, end) if shape[at] != " "]
    narrow = min(after - at for at, after in pairwise(letters))
    places = []
    for at, after in zip(letters, [*letters[1:], 0], strict=True):
        places.append(at)
        if after - at > narrow:
            places.append(at + 1)
    return places
