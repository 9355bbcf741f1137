"""Joins rows of single letters: "v i a g r a", "b u y  c h e a p  v i a g r a".

Every function takes time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from models.rules.matcher.split_words import Piece

_SINGLES = re.compile(" [^ ](?: {1,3}[^ ]){2,}(?= )")
_CONTEXT = 24  # characters on both sides of a spelled-out word, for phrases that contain it
_LONGEST_WORD = 24  # letters; a longer row without wider gaps is several words
_LONGEST_ROW = 64  # letters; of longer rows, only the words at the ends are read in several ways
_SHORTEST_ROW = 3  # letters that must remain when a short word is cut from a row

# A row of letters may begin or end with some of these: "b u y v i a g r a", "a v i a g r a". (Not
# with "the" or "in", as "therapist" and "cumin" do.)
_LEADS = "a i my no buy get hot new you free best cheap big".split()
_TAILS = "a i u 2 me you now".split()
_MOST_CUT = 3  # leads or tails that are cut from one row


class Row(NamedTuple):
    """A row of single letters: where it is, its letters, and after how many a word ends."""

    start: int
    end: int
    letters: list[int]
    wide: list[int]

    def unspaced(self) -> Iterator[list[int]]:
        """The letters between wide gaps, if they are too many for one word."""
        for first, last in pairwise([0, *self.wide, len(self.letters)]):
            if last - first > _LONGEST_WORD:
                yield self.letters[first:last]


def single_letters(shape: str) -> list[Row]:
    """The rows of single letters. Wider gaps separate words, "push it" is no row."""
    rows = []
    for row in _SINGLES.finditer(shape):
        start, end = row.start() + 1, row.end()
        letters = [at for at in range(start, end) if shape[at] != " "]
        narrow = min(after - at for at, after in pairwise(letters))
        wide = [count for count in range(1, len(letters)) if _gap(letters, count) > narrow]
        rows.append(Row(start, end, letters, wide))
    return rows


def spelled_out(shape: str, rows: list[Row]) -> list[Piece]:
    """The rows as words, each with its context; also without short words at their ends."""
    pieces = []
    for row in rows:
        for letters, cuts in _readings(row, "".join([shape[at] for at in row.letters])):
            pieces += [(len(shape), len(shape) + 1), (max(0, row.start - _CONTEXT), row.start)]
            pieces += _words(letters, cuts)
            pieces.append((row.end, min(row.end + _CONTEXT, len(shape))))
    return pieces


def _gap(letters: list[int], count: int) -> int:
    return letters[count] - letters[count - 1]


def _readings(row: Row, text: str) -> Iterator[tuple[list[int], set[int]]]:
    """Each way to read the row: letters of it, and the counts after which a word ends."""
    yield row.letters, set(row.wide)
    if len(text) <= _LONGEST_ROW:
        yield from ((row.letters, cuts) for cuts in _cuts(text, row.wide))
        return
    # Only the words at the ends of a longer row are read again, so the work stays linear.
    first = [at for at in row.wide if at <= _LONGEST_ROW]
    if first:
        yield from ((row.letters[: first[-1]], cuts) for cuts in _cuts(text[: first[-1]], first))
    begin = next((at for at in row.wide if at >= len(text) - _LONGEST_ROW), None)
    if begin is not None:
        wide = [at - begin for at in row.wide if at > begin]
        yield from ((row.letters[begin:], cuts) for cuts in _cuts(text[begin:], wide))


def _cuts(row: str, wide: list[int]) -> Iterator[set[int]]:
    """The counts after which a word ends, if a short word is cut from one or both ends."""
    first, last = (wide[0], wide[-1]) if wide else (len(row), 0)
    heads = [at for at in _heads(row, _LEADS) if at + _SHORTEST_ROW <= first]
    tails = [len(row) - at for at in _heads(row[::-1], _TAILS_REVERSED)]
    tails = [at for at in tails if at >= last + _SHORTEST_ROW]
    for head in [0, *heads]:
        for tail in [0, *tails]:
            if head + tail and (not tail or head + _SHORTEST_ROW <= tail):
                yield {*wide, head, tail} - {0}


_TAILS_REVERSED = [tail[::-1] for tail in _TAILS]


def _heads(row: str, leads: list[str]) -> list[int]:
    """The letter counts of the leads, one to three, that the row begins with."""
    found, last = set(), {0}
    for _ in range(_MOST_CUT):
        last = {at + len(lead) for at in last for lead in leads if row.startswith(lead, at)}
        found |= last
    return sorted(found)


def _words(letters: list[int], cuts: set[int]) -> Iterator[Piece]:
    """The letters, and one of the spaces at each cut."""
    for count, at in enumerate(letters, 1):
        yield at, at + 1 + (count in cuts)
