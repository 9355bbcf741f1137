"""Text as a reader sees it: folded for matching, with the way back to the original text.

A text is folded in two steps.

1. *Letters*: lower case, no accents, no invisible characters, look-alikes of other scripts as the
   letter they imitate (`ＶÍÅＧＲＡ` becomes `viagra`). ASCII text only needs `str.lower`.
2. *Shape*: each letter as its class, where leetspeak and the letters it stands for share one
   class (`i`, `l` and `1` are all `i`), everything that is no word as a space. Shapes are what the
   automaton scans; a shape that matches is then spelled out against the letters.

Everything is a C-level pass over the text; positions in the original are worked out only when
something was found.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

import re2  # type: ignore[import-untyped]

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

# Look-alikes that Unicode does not decompose, by the Latin letter they imitate. Distilled from
# Unicode's confusables (UTS 39), without the scripts whose own rules would suffer (Georgian,
# Ethiopic, Indic, CJK). Each letter stands for both of its cases, so that a Cyrillic or Greek rule
# still matches its own script whatever the case: pattern and text are folded alike.
_IMITATIONS = """
a аαɑᴀꭺᎪꓮ   b вβʙƀᏴꓐ  c сϲᴄᏟꓚ   d ԁđᴅᎠꓓɗ  e еεєᴇᎬꓰəҽ  f ƒꜰꓝք  g ɡɢᏀꓖց  h нһħʜᎻꓧհ
i іιıɪɩɨᎥӏ  j јϳᴊᎫꓙ   k кκᴋᏦꓗ   l łʟᏞꓡɫ  m мμᴍᎷꓟ    n ηɴռոꓠ   o оοøᴏօꓳɵ  p рρᴘᏢꓑ
q ԛʠ        r гʀᎡꓣ    s ѕꜱꓢᏚʂ   t тτŧᴛᎢꓔ  u υᴜսꓴʋ    v ѵνᴠᏙꓦ   w ԝωᴡᏔᎳꓪ   x хχꓫ
y уγʏүꓬƴ    z ζᴢᏃꓜʐ
"""  # noqa: RUF001
_LOOKALIKES = {
    imitation: latin
    for latin, imitations in zip(*[iter(_IMITATIONS.split())] * 2, strict=True)
    for imitation in imitations
}

# Marks that decorate a letter. Those of Indic and South-East Asian scripts are vowels, and stay.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0")
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
_UNSPACED_RUN = re.compile(f"[{_SPACELESS}{_HANGUL}]+")
_OPENS_ANYWHERE = re.compile(f"[{_SPACELESS}]")
_TABLE_LIMIT = 20_000  # characters remembered; the rest of Unicode is folded anew each time

_SINGLES = re.compile("(?<= )[^ ](?: {1,3}[^ ]){2,}(?= )")
_INNER_JOIN = re.compile(f"{JOIN}+(?=[^ {JOIN}])")
_LEET_SYMBOL = re.compile(r"[@$|+€£]|!\w")
# "shit!" ends in punctuation, "sh!t" does not.
_CLOSING_SYMBOLS = re.compile(r"[!|+]+(?![\w@$€£])")
_SPACES = re.compile(" {2,}")
_RUNS = re.compile(r"(.)\1+", re.DOTALL)
# No ordinary word has three of a letter; these do not even have two. (RE2 answers in 2 µs a KB.)
RARELY_DOUBLED = frozenset("ahjkquvwxy")
_STRETCHED = re2.compile(
    "|".join(
        [letter * 3 for letter in map(chr, [*range(97, 123), *range(0x430, 0x450)])]
        + [letter * 3 for letter in map(chr, [*range(0x3B1, 0x3CA), *range(0x627, 0x64B)])]
        + [letter * 2 for letter in sorted(RARELY_DOUBLED)]
    )
)


class _Letters(dict[int, str]):
    """`str.translate` table to letters, filled as characters are met; a value may be empty."""

    def __missing__(self, code: int) -> str:
        letters = _fold(chr(code))
        if len(self) < _TABLE_LIMIT:
            self[code] = letters
        return letters


class _Shapes(dict[int, str]):
    """`str.translate` table from letters to shapes, always one character for one."""

    def __init__(self, classes: dict[str, str]) -> None:
        super().__init__()
        self.classes = classes

    def __missing__(self, code: int) -> str:
        shape = self._shape(chr(code))
        if len(self) < _TABLE_LIMIT:
            self[code] = shape
        return shape

    def _shape(self, char: str) -> str:
        if char in self.classes:
            return self.classes[char]
        if char in _JOINERS:
            return JOIN
        return char if _in_word(char) else " "


def _fold(char: str) -> str:
    """The letters that one character reads as: none, one, or several ("ﬁ" gives "fi")."""
    category = unicodedata.category(char)
    if category == "Cf" or char in _FILLERS or _ACCENTS.match(char):
        return ""
    if category[0] == "C" or char in "™℠":
        return " "
    if char in "\u3002\uff0e\uff61":
        return "."
    if category == "Nd":
        return str(unicodedata.decimal(char))
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", _unboxed(char)))
    folded = unicodedata.normalize("NFKC", bare).casefold()
    letters = _ACCENTS.sub("", unicodedata.normalize("NFKC", folded))
    return "".join(_LOOKALIKES.get(letter, letter) for letter in letters)


def _unboxed(char: str) -> str:
    """The letter inside 🅐 and 🅰, which Unicode does not decompose."""
    for first in ("\U0001f150", "\U0001f170"):
        if 0 <= ord(char) - ord(first) < 26:
            return chr(ord("a") + ord(char) - ord(first))
    return char


def _in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


_CLASSES = {**{letter: letter for letter in "abcdefghijkmnopqrstuvwxyz"}, "l": "i", **_DIGIT_CLASS}
_LETTERS = _Letters()
_PLAIN = _Shapes(_CLASSES)
_LEET = _Shapes({**_CLASSES, **_SYMBOL_CLASS})


class Folded:
    """A text as letters, one space before and after it, and each letter's place in the text.

    Runs of scripts written without spaces get a space on either side, so that "这fuck那" has words.
    """

    __slots__ = ("_starts", "letters", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts: list[int] | None = None
        self.letters = f" {self._fold()} "

    def _fold(self) -> str:
        if self.text.isascii():
            return self.text.lower()
        return _UNSPACED_RUN.sub(r" \g<0> ", self.text.translate(_LETTERS))

    def place(self, index: int) -> int:
        """Where in the text the letter at `index` (0 to the number of letters) begins."""
        if self.text.isascii():
            return min(max(index - 1, 0), len(self.text))
        if self._starts is None:
            self._starts = self._find_starts()
        return self._starts[index]

    def _find_starts(self) -> list[int]:
        pieces = [_LETTERS[ord(char)] for char in self.text]
        flat = [at for at, piece in enumerate(pieces) for _ in piece]
        flat.append(len(self.text))
        starts, done = [0], 0
        for run in _UNSPACED_RUN.finditer("".join(pieces)):
            first, last = run.span()
            starts += [*flat[done:first], flat[first], *flat[first:last], flat[last]]
            done = last
        return [*starts, *flat[done:], len(self.text)]


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

    __slots__ = ("_heads", "_runs", "_tails", "shape", "squeezed")

    def __init__(self, shape: str, *, everything: bool = False) -> None:
        self.shape = shape
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
    if _LEET_SYMBOL.search(folded.letters):
        letters = _CLOSING_SYMBOLS.sub(lambda found: " " * len(found[0]), folded.letters)
        yield from _readings(folded, letters.translate(_LEET))


def squeezes(shape: str) -> Iterator[Squeezed]:
    """The shape with single spaces; and, where letters are stretched ("fuuuck"), without runs."""
    yield Squeezed(shape)
    if _STRETCHED.search(shape):
        yield Squeezed(shape, everything=True)


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
        start, end = row.span()
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


def opens_anywhere(char: str) -> bool:
    """Whether a word beginning with this letter needs no space before it (Chinese, Thai, …)."""
    return _OPENS_ANYWHERE.match(char) is not None


def closes_anywhere(char: str) -> bool:
    """Likewise at a word's end; Korean appends particles to its words, but puts none before."""
    return _UNSPACED_RUN.match(char) is not None
