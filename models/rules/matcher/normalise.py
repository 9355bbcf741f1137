"""Normalises text to the letters that a reader sees, each with its position in the original.

Lower case, no accents, no invisible characters, and look-alikes of other scripts replaced by the
letter they imitate (`ＶÍÅＧＲＡ` becomes `viagra`). ASCII text only needs `str.lower`; other text
needs one `str.translate`. Positions are computed only if something matched.
"""

from __future__ import annotations

import re
import unicodedata

from models.rules.matcher.look_alikes import (
    EITHER_I_OR_L,
    look_alikes,
    rare_scripts_of,
    script_of,
)

# Accents. Marks of Indic and South-East Asian scripts are vowels and are kept.
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
NEWLINES = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
TABLE_LIMIT = 20_000  # cached characters; others are folded each time
_SCRIPTS = {
    "latin": "a-zA-Z\u00c0-\u024f",
    "cyrillic": "\u0400-\u052f",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
}
_USES = {script: re.compile(f"[{letters}]") for script, letters in _SCRIPTS.items()}

# Letters without a look-alike in another script, so they prove that a text uses the script.
_ONLY_IN = {
    "latin": re.compile("[dfgjlqsuvwzDFGJLQSUVWZ]"),
    "cyrillic": re.compile("[бджзилпфцчшщъыьэюяБДЖЗИЛПФЦЧШЩЪЫЬЭЮЯ]"),
    "greek": re.compile("[δθλξπσςφψΔΘΛΞΠΣΦΨ]"),
}


_CAPITAL_I = re.compile(r"I+(?![A-Z])")
_BEGINS_WITH_L = re.compile("I[aeiouy][a-zI]")  # as "Ioser" does, unlike "It", "In" and "Is"


class _Letters(dict[int, str]):
    """`str.translate` table to letters, filled on demand; a value may be empty."""

    def __missing__(self, code: int) -> str:
        letters = _fold(chr(code))
        if len(self) < TABLE_LIMIT:
            self[code] = letters
        return letters


def _fold(char: str) -> str:
    """The letters for one character: none, one, or several ("ﬁ" gives "fi")."""
    if char in look_alikes():
        return look_alikes()[char]
    category = unicodedata.category(char)
    if category == "Cf" or char in _FILLERS or _ACCENTS.match(char):
        return ""
    if char in NEWLINES:
        return "\n"
    if category[0] == "C" or char in "™℠":
        return " "
    if char in "\u3002\ufe12\uff0e\uff61":
        return "."
    if category == "Nd":
        return str(unicodedata.decimal(char))
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", _unboxed(char)))
    folded = unicodedata.normalize("NFKC", bare).casefold()
    letters = _ACCENTS.sub("", unicodedata.normalize("NFKC", folded))
    return "".join(look_alikes().get(letter, letter) for letter in letters)


def _unboxed(char: str) -> str:
    """The letter inside 🅐 and 🅰, which Unicode does not decompose."""
    for first in ("\U0001f150", "\U0001f170"):
        if 0 <= ord(char) - ord(first) < 26:
            return chr(ord("a") + ord(char) - ord(first))
    return char


_LETTERS = _Letters()


class Folded:
    """A text as letters with a space before and after, and each letter's position in the text.

    Runs of scripts written without spaces get a space on both sides, so "这fuck那" has words.
    """

    __slots__ = ("_starts", "_written", "letters", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts: list[int] | None = None
        self._written: dict[str, bool] = {}
        self.letters = _read(text)

    def letters_either_i(self) -> str:
        """The letters, with EITHER_I_OR_L for each capital I that may be an l ("kIIl", "Ioser")."""
        if "I" not in self.text:
            return self.letters
        text = _CAPITAL_I.sub(_either, self.text)
        if text == self.text:
            return self.letters
        return f" {text.lower()} " if self.text.isascii() else _read(text)

    def place(self, index: int) -> int:
        """The position in the text of the letter at `index` (0 to the number of letters)."""
        if self.text.isascii():
            return min(max(index - 1, 0), len(self.text))
        if self._starts is None:
            self._starts = self._find_starts()
        return self._starts[index]

    def is_written_in(self, script: str) -> bool:
        """Whether the text has letters that only this script has, so it imitates no other."""
        if script not in self._written:
            self._written[script] = _has_only_in(script, self.text)
        return self._written[script]

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


def _either(run: re.Match[str]) -> str:
    """EITHER_I_OR_L for capitals behind a lower-case letter, or at the start of "Ioser"."""
    text, at = run.string, run.start()
    before = text[at - 1] if at else " "
    inside = "a" <= before <= "z"
    if inside or (_BEGINS_WITH_L.match(text, at) and not before.isalnum()):
        return EITHER_I_OR_L * len(run[0])
    return run[0]


def _read(text: str) -> str:
    if text.isascii():
        return f" {text.lower()} "
    spaced = _UNSPACED_RUN.sub(r" \g<0> ", text.translate(_LETTERS))
    return f" {spaced} "


def opens_anywhere(char: str) -> bool:
    """Whether a word beginning with this letter needs no space before it (Chinese, Thai, …)."""
    return _OPENS_ANYWHERE.match(char) is not None


def closes_anywhere(char: str) -> bool:
    """The same for a word's end; Korean appends particles to words, but puts none before."""
    return _UNSPACED_RUN.match(char) is not None


def scripts_of(text: str) -> set[str]:
    """The scripts, of those that have look-alikes, that the text has letters of."""
    text = unicodedata.normalize("NFKC", text)
    scripts = {script for script, letters in _USES.items() if letters.search(text)}
    return scripts | rare_scripts_of(text)


def _has_only_in(script: str, text: str) -> bool:
    """Whether the text has letters that only this script has."""
    if script in _ONLY_IN:
        return _ONLY_IN[script].search(text) is not None
    return any(script_of(char) == script and char not in look_alikes() for char in text)
