"""Joins words that were split ("f.uck", "via-gra", "fu⏎ck"), and finds masked words.

A joined text is a list of pieces, (start, end) of letters in order. Every function takes time
linear in the text. `spelled_rows.py` joins rows of single letters.
"""

from __future__ import annotations

import re

from models.rules.matcher.ordinary_words import is_ordinary

Piece = tuple[int, int]

JOIN = "\x01"  # in a marked shape: punctuation that may be inside one word
BREAK = "\n"  # after the letters: the boundary between two lists of pieces
EMOJI = "\u2300-\u23ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff"  # in [ ]

_JOIN_BEFORE_LETTER = re.compile(f"{JOIN}(?=[^ {JOIN}])")
_JOINS = re.compile(f"{JOIN}+")
_ADDRESS = f"www{JOIN}"
_SHORTEST_SPLIT = 4  # letters of a word that "cu.m" or "se-x" is not read as
_IN_UNITS = frozenset(".-/'\u2019\u2010\u2011\u2013")  # the marks in "cu.m", "km/h", "t-in"

# Endings of ordinary compounds: "strap-on" does not match "strapon", unless the rule has a hyphen.
_PARTICLES = frozenset("on off up out by to down over".split())

# One or two masked letters, not at the ends. Double dots and hyphens are too common, so they count
# only after a first letter ("f--k").
_LETTER = r"[^\W\d_]"
_MASKED = re.compile(
    rf"{_LETTER}+(?:[*#_.-]|[*#_]{{2}}|[{EMOJI}]{{1,2}}|[*#_]{_LETTER}+[*#_]){_LETTER}+"
    rf"|{_LETTER}(?:\.\.|--){_LETTER}+"
)
_SHORTEST_MASKED = 4
_LONGEST_PIECE = 24  # letters of a word that is joined across a line break or has a masked end
_WORD_BEFORE = re.compile(rf"(?<![^\W_]){_LETTER}+\Z")
_WORD_AFTER = re.compile(rf"{_LETTER}{{1,{_LONGEST_PIECE}}}(?![^\W_])")
_LINE_BREAK = re.compile("[-\u2010]?\r?\n[ \t]*")


def split_words(marked: str) -> list[Piece]:
    """Words with punctuation inside, without leading and trailing punctuation."""
    words, done = [], 0
    for join in _JOIN_BEFORE_LETTER.finditer(marked):
        if join.start() >= done:
            start, done = marked.rfind(" ", 0, join.start()) + 1, marked.find(" ", join.end())
            word = marked[start:done].rstrip(JOIN)
            end, start = start + len(word), start + len(word) - len(word.lstrip(JOIN))
            if JOIN in word[start - end :]:
                words.append((start, end))
    return words


def joined(marked: str, letters: str, words: list[Piece]) -> list[Piece]:
    """The whole text without the punctuation inside these words; empty if no word is joined."""
    pieces, done = [], 0
    for start, end in words:
        if _may_join(marked[start:end], letters[start:end]):
            for join in _JOINS.finditer(marked, start, end):
                pieces.append((done, join.start()))
                done = join.end()
    return [*pieces, (done, len(marked))] if pieces else []


def _may_join(word: str, letters: str) -> bool:
    """Whether a word may have been split on purpose.

    "cu.m" is a unit, "strap-on" a compound and "www.example.com" an address.
    """
    if word.startswith(_ADDRESS):
        return False
    if len(word) - word.count(JOIN) < _SHORTEST_SPLIT:
        marks = {letter for letter, kind in zip(letters, word, strict=True) if kind == JOIN}
        return marks.isdisjoint(_IN_UNITS) and not any(map(str.isdigit, letters))
    parts = word.split(JOIN)
    return not (len(parts) == 2 and parts[1] in _PARTICLES and len(parts[0]) > 1)


def masked(letters: str, words: list[Piece]) -> list[Piece]:
    """Words with one or two masked letters ("f*ck", "s#it", "f--k", "fuc*")."""
    inside = [
        (start, end)
        for start, end in words
        if end - start >= _SHORTEST_MASKED and _MASKED.fullmatch(letters, start, end)
    ]
    return [*inside, *_masked_ends(letters)] if "*" in letters else inside


def _masked_ends(letters: str) -> list[Piece]:
    """Words whose first or last letter is masked ("*uck", "fuc*"); "rap*" has a footnote."""
    words = []
    at = letters.find("*")
    while at >= 0:
        before, after = _word_before(letters, at), _word_after(letters, at + 1)
        if before and not after and letters[at + 1] not in "*_":
            words.append((before[0], at + 1))
        elif after and not before and letters[at - 1] == " " and letters[after[1]] != "*":
            words.append((at, after[1]))
        at = letters.find("*", at + 1)
    return [
        (start, end)
        for start, end in words
        if end - start >= _SHORTEST_MASKED and not is_ordinary(letters[start:end].strip("*"))
    ]


def across_lines(letters: str) -> list[Piece]:
    """The words that line breaks split in two ("fu⏎ck", "via-⏎gra"), each between two spaces.

    Two words that are whole themselves are not joined ("hand⏎job"), unless a hyphen joins them.
    """
    pieces: list[Piece] = []
    for line in _LINE_BREAK.finditer(letters):
        before, after = _word_before(letters, line.start()), _word_after(letters, line.end())
        if before and after and before[1] - before[0] + after[1] - after[0] >= _SHORTEST_SPLIT:
            halves = letters[slice(*before)], letters[slice(*after)]
            if not line[0][0].isspace() or not all(map(is_ordinary, halves)):
                pieces += [(len(letters), len(letters) + 1), (0, 1), before, after, (0, 1)]
    return pieces


def _word_before(letters: str, at: int) -> Piece | None:
    start = max(0, at - _LONGEST_PIECE - 1)
    word = _WORD_BEFORE.search(letters[start:at])
    return (start + word.start(), at) if word and word.start() else None


def _word_after(letters: str, at: int) -> Piece | None:
    word = _WORD_AFTER.match(letters, at)
    return word.span() if word else None
