"""Converts letters to the shapes that the automaton scans, for each way to read a text.

A shape replaces each letter by its class: leetspeak and the letters it imitates share one (`i`, `l`
and `1` are all `i`), and everything outside words is a space. A text is read unchanged, with
symbols as letters ("$hit"), and with split words joined ("v i a g r a", "vi-agra"); each of these
with single spaces and, if letters are stretched, without runs ("fuuuck"). A matching shape must
still be compared with the letters (see `verify.py`). Words with masked letters ("f*ck") have no
shape; a view only lists them.

Every step is a C-level pass over the text. Positions are mapped back only on request.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate

import re2

from models.rules.matcher.look_alikes import EITHER_I_OR_L
from models.rules.matcher.normalise import TABLE_LIMIT, Folded
from models.rules.matcher.spelled_rows import Row, single_letters, spelled_out
from models.rules.matcher.split_words import (
    BREAK,
    JOIN,
    Piece,
    across_lines,
    joined,
    masked,
    split_words,
)

_JOINERS = frozenset("._-*#~'`/\\|^\u00b4·•\u2010\u2011\u2013\u2018\u2019\u30fb")
_EMOJI = frozenset(("So", "Sk"))  # categories: symbols and emoji, their skin tones
_DIGIT_CLASS = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g"}
_SYMBOL_CLASS = {"@": "a", "$": "s", "!": "i", "|": "i", "+": "t", "€": "e", "£": "l"}
_SYMBOL_CLASS |= {"\u00a9": "c", "\u00ae": "r", "\u2b55": "o", "\U0001f4b2": "s"}  # © ® ⭕ 💲

# The letters that a leet character may mean. `1` is an i in "v1agra" and an l in "1oser".
READINGS = {
    **_DIGIT_CLASS,
    **_SYMBOL_CLASS,
    **dict.fromkeys(f"1!|{EITHER_I_OR_L}", "il"),
}
_BANG_INSIDE = re.compile(r"!\w")

# "shit!" ends in punctuation and "Viagra®" in a mark, "sh!t" and "ki||" do not.
_CLOSING_SYMBOLS = re.compile(
    "(?:[!+\u00a9\u00ae\u2b55\U0001f4b2]|(?<!\\|)\\|(?!\\|))+(?![\\w@$€£|])"
)
_SPACES = re.compile(" {2,}")
_RUNS = re.compile(r"(.)\1+", re.DOTALL)
_REPEATED = re.compile(r"(.)(?=\1)", re.DOTALL)

# No ordinary word has a letter three times in a row, and these not even twice. (RE2: 2 µs per KB.)
RARELY_DOUBLED = frozenset("ahjkquvwxy")

# In shapes "ill" is already three i, so four i are required, and three of other letters.
_STRETCHED = re2.compile(
    "|".join(
        ["iiii"]
        + [letter * 3 for letter in "abcdefghjkmnopqrstuvwxyz"]
        + [letter * 3 for letter in map(chr, range(0x430, 0x450))]
        + [letter * 3 for letter in map(chr, [*range(0x3B1, 0x3CA), *range(0x627, 0x64B)])]
        + [letter * 2 for letter in sorted(RARELY_DOUBLED - {"w"})]
        + ["[^ w]ww", " ww[^w]", " www[^ ]"]  # except the "www" of an address
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
        if char in _JOINERS or unicodedata.category(char) in _EMOJI:
            return JOIN
        return char if _in_word(char) else " "


def _in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


_CLASSES = {**{letter: letter for letter in "abcdefghijkmnopqrstuvwxyz"}, "l": "i", **_DIGIT_CLASS}
_CLASSES[EITHER_I_OR_L] = "i"
_PLAIN = _Shapes(_CLASSES)
_LEET = _Shapes({**_CLASSES, **_SYMBOL_CLASS})


class View:
    """One way to read a text: its shape, and the letters behind each character of the shape.

    If `pieces` are given, shape and letters are joined from those pieces of `shape` and `source`.
    `masked` are the words with masked letters, as positions in the shape; `rows` are the rows of
    single letters.
    """

    def __init__(
        self,
        folded: Folded,
        source: str,
        shape: str,
        pieces: list[Piece] | None = None,
        masked: Sequence[Piece] = (),
        rows: Sequence[Row] = (),
    ) -> None:
        self.folded = folded
        self.shape = shape if pieces is None else _put_together(shape, pieces)
        self.masked = masked
        self.rows = rows
        self._source = source
        self._pieces = pieces

    @cached_property
    def letters(self) -> str:
        """The letters, one for each character of the shape."""
        return self._source if self._pieces is None else _put_together(self._source, self._pieces)

    @cached_property
    def _picks(self) -> Sequence[int]:
        if self._pieces is None:
            return range(len(self.shape))
        return [at for piece in self._pieces for at in range(*piece)]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span in the original text of `shape[start:end]`, which must not be empty."""
        first, last = self._picks[start], self._picks[end - 1]
        return self.folded.place(first), self.folded.place(last + 1)

    @property
    def joined(self) -> bool:
        """Whether the view joins split words."""
        return self._pieces is not None

    def is_joined(self, start: int, end: int) -> bool:
        """Whether `shape[start:end]` was joined from more than one piece of the text."""
        return self._picks[end - 1] - self._picks[start] != end - 1 - start


def _put_together(text: str, pieces: list[Piece]) -> str:
    ended = text + BREAK
    return "".join([ended[start:end] for start, end in pieces])


class Squeezed:
    """A shape with runs of spaces (or of any character) reduced to one, and the mapping back."""

    __slots__ = ("_heads", "_runs", "_tails", "everything", "shape", "squeezed")

    def __init__(self, shape: str, *, everything: bool = False) -> None:
        self.shape = shape
        self.everything = everything
        self._runs = _RUNS if everything else _SPACES
        self.squeezed = _REPEATED.sub("", shape) if everything else _single_spaced(shape)
        self._heads: list[int] = []
        self._tails: list[int] = []

    def place(self, index: int) -> int:
        """The position in the shape of the squeezed character at `index`."""
        if not self._heads:
            runs = [run.span() for run in self._runs.finditer(self.shape)]
            removed = accumulate(end - start - 1 for start, end in runs)
            self._tails = [0, *(end for _, end in runs)]
            self._heads = [0, *(end - count for (_, end), count in zip(runs, removed, strict=True))]
        at = bisect_right(self._heads, index) - 1
        return self._tails[at] + index - self._heads[at]


def _single_spaced(shape: str) -> str:
    while "  " in shape:
        shape = shape.replace("  ", " ")
    return shape


def plain_view(text: str) -> View:
    """The text unchanged: symbols separate words, digits may be letters. Used for patterns too."""
    folded = Folded(text)
    return View(folded, folded.letters, folded.letters.translate(_PLAIN).replace(JOIN, " "))


def views(folded: Folded) -> Iterator[View]:
    """All readings of a text: unchanged, with symbols as letters, with split words joined."""
    letters = folded.letters_either_i()
    yield from _readings(folded, letters, letters.translate(_PLAIN))
    if _has_leet_symbol(letters):
        open_letters = _CLOSING_SYMBOLS.sub(lambda match: " " * len(match[0]), letters)
        yield from _readings(folded, letters, open_letters.translate(_LEET))


def _has_leet_symbol(letters: str) -> bool:
    if "!" in letters and _BANG_INSIDE.search(letters):
        return True
    return any(symbol in letters for symbol in _SYMBOL_CLASS if symbol != "!")


def squeezes(view: View) -> Iterator[Squeezed]:
    """The shape with single spaces; and, if letters are stretched ("fuuuck"), without runs."""
    yield Squeezed(view.shape)
    if "iii" in view.letters or "lll" in view.letters or _STRETCHED.search(view.shape):
        yield Squeezed(view.shape, everything=True)


def _readings(folded: Folded, letters: str, marked: str) -> Iterator[View]:
    shape, words = marked.replace(JOIN, " "), split_words(marked)
    rows = single_letters(shape)
    yield View(folded, letters, shape, masked=masked(letters, words), rows=rows)
    lines = across_lines(letters) if "\n" in letters else []
    for pieces in (joined(marked, letters, words), spelled_out(shape, rows), lines):
        if pieces:
            yield View(folded, letters, shape, pieces)
