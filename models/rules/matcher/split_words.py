"""Joins words that were split ("f.uck", "via-gra", "v i a g r a"), and finds masked words.

A joined text is a list of pieces, (start, end) of letters in order. Every function takes time
linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

Piece = tuple[int, int]

JOIN = "\x01"  # in a marked shape: punctuation that may be inside one word
BREAK = "\n"  # after the letters: the boundary between two lists of pieces

_JOIN_BEFORE_LETTER = re.compile(f"{JOIN}(?=[^ {JOIN}])")
_JOINS = re.compile(f"{JOIN}+")
_SINGLES = re.compile(" [^ ](?: {1,3}[^ ]){2,}(?= )")
_ADDRESS = f"www{JOIN}"
_CONTEXT = 24  # characters on both sides of a spelled-out word, for phrases that contain it
_LONGEST_ROW = 64  # letters; longer rows are only read whole
_SHORTEST_ROW = 3  # letters that must remain when a short word is cut from a row

# Endings of ordinary compounds: "strap-on" does not match "strapon", unless the rule has a hyphen.
_PARTICLES = frozenset("on off up out by to down over".split())

# A row of letters may begin or end with one of these: "b u y v i a g r a", "a v i a g r a". (Not
# with "the" or "in", as "therapist" and "cumin" do.)
_LEADS = "a i my no buy get hot new you free best cheap big".split()
_TAILS = "a i u 2 me you now".split()

# One or two masked letters, not at the ends. Double dots and hyphens are too common, so they count
# only after a first letter ("f--k").
_LETTER = r"[^\W\d_]"
_MASKED = re.compile(
    rf"{_LETTER}+(?:[*#_.-]|[*#_]{{2}}|[*#_]{_LETTER}+[*#_]){_LETTER}+|{_LETTER}(?:\.\.|--){_LETTER}+"
)
_SHORTEST_MASKED = 4


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


def joined(marked: str, words: list[Piece]) -> list[Piece]:
    """The whole text without the punctuation inside these words; empty if no word is joined."""
    pieces, done = [], 0
    for start, end in words:
        if _may_join(marked[start:end]):
            for join in _JOINS.finditer(marked, start, end):
                pieces.append((done, join.start()))
                done = join.end()
    return [*pieces, (done, len(marked))] if pieces else []


def _may_join(word: str) -> bool:
    """Whether a word may have been split on purpose.

    "cu.m" is a unit, "strap-on" a compound and "www.example.com" an address.
    """
    if len(word) - word.count(JOIN) <= 3 or word.startswith(_ADDRESS):
        return False
    parts = word.split(JOIN)
    return not (len(parts) == 2 and parts[1] in _PARTICLES and len(parts[0]) > 1)


def masked(letters: str, words: list[Piece]) -> list[Piece]:
    """Words with one or two masked letters ("f*ck", "s#it", "f--k")."""
    return [
        (start, end)
        for start, end in words
        if end - start >= _SHORTEST_MASKED and _MASKED.fullmatch(letters, start, end)
    ]


def spelled_out(shape: str) -> list[Piece]:
    """Rows of single letters ("v i a g r a"), each with its context.

    Only single letters are joined, never "push it" or "smart watch". Wider gaps separate words. A
    row is also read without a short word at its beginning or end.
    """
    pieces = []
    for row in _SINGLES.finditer(shape):
        start, end = row.start() + 1, row.end()
        letters = [at for at in range(start, end) if shape[at] != " "]
        narrow = min(after - at for at, after in pairwise(letters))
        wide = [count for count in range(1, len(letters)) if _gap(letters, count) > narrow]
        for cuts in _cuts("".join([shape[at] for at in letters]), wide):
            pieces += [(len(shape), len(shape) + 1), (max(0, start - _CONTEXT), start)]
            pieces += _words(letters, cuts)
            pieces.append((end, min(end + _CONTEXT, len(shape))))
    return pieces


def _gap(letters: list[int], count: int) -> int:
    return letters[count] - letters[count - 1]


def _cuts(row: str, wide: list[int]) -> Iterator[set[int]]:
    """The letter counts after which a word ends, for each way to read the row."""
    yield set(wide)
    if len(row) > _LONGEST_ROW:
        return
    first, last = (wide[0], wide[-1]) if wide else (len(row), 0)
    heads = [len(lead) for lead in _LEADS if row.startswith(lead)]
    tails = [len(row) - len(tail) for tail in _TAILS if row.endswith(tail)]
    heads = [0, *(at for at in heads if at + _SHORTEST_ROW <= first)]
    tails = [0, *(at for at in tails if at >= last + _SHORTEST_ROW)]
    yield from ({*wide, head, tail} - {0} for head in heads for tail in tails if head or tail)


def _words(letters: list[int], cuts: set[int]) -> Iterator[Piece]:
    """The letters, and one of the spaces at each cut."""
    for count, at in enumerate(letters, 1):
        yield at, at + 1 + (count in cuts)
