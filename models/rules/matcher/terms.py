"""Finds all words and phrases in one scan.

It uses one Aho-Corasick automaton over *shapes* (see `text_views.py`), so the cost of a scan does
not grow with the number of terms. The automaton finds candidates; each is then compared with the
letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, NamedTuple

import ahocorasick

from models.rules.matcher.normalise import Folded, closes_anywhere, opens_anywhere
from models.rules.matcher.split_words import JOIN, Piece
from models.rules.matcher.text_views import Squeezed, View, plain_view, squeezes, views
from models.rules.matcher.verify import is_foreign, is_loose, spells

_DIGRAPHS = {"f": "ph", "w": "vv"}  # "phuck", "vvhore"
_SHORTEST_RESPELLED = 4
_SHORTEST_RUN_TOGETHER = 6  # letters


class Term(NamedTuple):
    """A word or phrase: its shape, its letters, and the symbols required before and after them."""

    key: int
    pattern: str
    shape: str
    letters: str
    head: str
    tail: str


# The terms of one shape: unchanged, without runs of letters, and without spaces.
Owners = tuple[tuple[Term, ...], ...]
_UNCHANGED, _RUNLESS, _RUN_TOGETHER = range(3)


class Terms:
    """Patterns to find. A pattern's key is its index in `patterns`."""

    # pyahocorasick and ahocorasick_rs are equally fast (3 µs per KB; 10,000 terms: 6 and 8 ms to
    # build, 4 and 2 MB). The former yields matches one by one, so many matches need no memory, and
    # it accepts any string.

    def __init__(self, patterns: Iterable[str]) -> None:
        self._literals: list[tuple[int, str]] = []
        owners: dict[str, list[list[Term]]] = {}
        for key, pattern in enumerate(patterns):
            term = _term(key, pattern)
            if term is None:
                self._literals.append((key, pattern.strip()))
                continue
            for way, shape, spelling in _ways(term):
                owners.setdefault(_padded(shape), [[], [], []])[way].append(spelling)
        self._reach = max(map(len, owners), default=0)
        self._automaton: Any = _automaton(owners) if owners else None

    def find(self, folded: Folded, limit: int) -> Iterator[tuple[int, int, int]]:
        """Matches: key, start and end in the original text; a few more than `limit`."""
        for key, literal in self._literals:
            yield from ((key, *span) for span in _occurrences(literal, folded.text, limit))
        if self._automaton is None:
            return
        for view in views(folded):
            yield from islice(self._unmask(view), limit)
            for squeezed in squeezes(view):
                yield from self._scan(view, squeezed, limit)

    def _scan(self, view: View, squeezed: Squeezed, limit: int) -> Iterator[tuple[int, int, int]]:
        hits, stop = 0, len(squeezed.squeezed)
        for last, (size, owners) in self._automaton.iter(squeezed.squeezed):
            if last > stop:
                return
            for hit in _spelled(view, squeezed, owners, last + 1 - size, last + 1):
                hits += 1
                yield hit
            # Scan a bit further: an exception around the last match may end after it.
            stop = min(stop, last + self._reach) if hits >= limit else stop

    def _unmask(self, view: View) -> Iterator[tuple[int, int, int]]:
        """The terms that masked words may be, looked up in the automaton with wildcards."""
        for start, end in view.masked:
            pattern = f" {view.shape[start:end].replace(' ', JOIN)} "
            for shape in self._automaton.keys(pattern, JOIN, ahocorasick.MATCH_EXACT_LENGTH):
                for term in self._automaton.get(shape)[1][_UNCHANGED]:
                    if len(term.letters) == end - start and _fits(term, view, (start, end)):
                        yield from _hit(term, view, start, end)


def _automaton(owners: dict[str, list[list[Term]]]) -> Any:
    automaton = ahocorasick.Automaton()
    for shape, terms in owners.items():
        automaton.add_word(shape, (len(shape), tuple(map(tuple, terms))))
    automaton.make_automaton()
    return automaton


def _term(key: int, pattern: str) -> Term | None:
    """The pattern as a term; None if it has no letters (an emoji), so it is searched literally."""
    view = plain_view(pattern)
    shape = view.shape.strip(" ")
    if not shape:
        return None
    start = view.shape.index(shape)
    end = start + len(shape)
    head, tail = view.letters[:start].strip(), view.letters[end:].strip()
    return Term(key, pattern, shape, view.letters[start:end], head, tail)


def _ways(term: Term) -> Iterator[tuple[int, str, Term]]:
    """The shapes by which the term is found: the way, the shape, and the term in that spelling."""
    for spelling in (term, *_respelled(term)):
        yield _UNCHANGED, Squeezed(spelling.shape).squeezed, spelling
        yield _RUNLESS, Squeezed(spelling.shape, everything=True).squeezed, spelling
    if (together := _run_together(term)) is not None:
        yield _RUN_TOGETHER, together.shape, together


def _respelled(term: Term) -> Iterator[Term]:
    """The term with a letter replaced by two that look or sound like it."""
    for letter, pair in _DIGRAPHS.items():
        if letter in term.letters and len(term.letters) >= _SHORTEST_RESPELLED:
            shape, letters = (_replace_runs(text, letter, pair) for text in term[2:4])
            yield term._replace(shape=shape, letters=letters)


def _replace_runs(text: str, letter: str, pair: str) -> str:
    return "".join([pair if char == letter else "".join(run) for char, run in groupby(text)])


def _run_together(term: Term) -> Term | None:
    """A phrase without its spaces, as in a row of single letters ("b a d w o r d s")."""
    if " " not in term.shape:
        return None
    pairs = list(zip(term.shape, term.letters, strict=True))
    letters = "".join([letter for shape, letter in pairs if shape != " "])
    gaps = "".join([letter for shape, letter in pairs if shape == " "])
    if not is_loose(gaps) or len(letters) < _SHORTEST_RUN_TOGETHER:
        return None
    return term._replace(shape=term.shape.replace(" ", ""), letters=letters)


def _padded(shape: str) -> str:
    """The shape with spaces so that it matches whole words only, if its script uses spaces."""
    head = "" if opens_anywhere(shape[0]) else " "
    tail = "" if closes_anywhere(shape[-1]) else " "
    return f"{head}{shape}{tail}"


def _occurrences(literal: str, text: str, limit: int) -> Iterator[tuple[int, int]]:
    at = text.find(literal)
    while at >= 0 and limit > 0:
        yield at, at + len(literal)
        at, limit = text.find(literal, at + len(literal)), limit - 1


def _spelled(
    view: View, squeezed: Squeezed, owners: Owners, start: int, end: int
) -> Iterator[tuple[int, int, int]]:
    """The terms that `squeezed[start:end]`, which has their shape, actually spells."""
    terms = owners[_RUNLESS if squeezed.everything else _UNCHANGED]
    together = () if squeezed.everything or not view.joined else owners[_RUN_TOGETHER]
    if not terms and not together:
        return
    first = squeezed.place(start + (squeezed.squeezed[start] == " "))
    last = squeezed.place(end - (squeezed.squeezed[end - 1] == " "))
    candidate = view.shape[first:last], view.letters[first:last]
    if together and view.is_joined(first, last):
        terms = (*terms, *together)
    for term in terms:
        if spells((term.shape, term.letters), candidate):
            yield from _hit(term, view, first, last)


def _fits(term: Term, view: View, place: Piece) -> bool:
    """Whether the unmasked letters match the term."""
    shape, letters = (text[slice(*place)] for text in (view.shape, view.letters))
    triples = zip(term.letters, shape, letters, strict=True)
    return spells(
        (term.shape, term.letters),
        (term.shape, "".join([want if kind == " " else have for want, kind, have in triples])),
    )


def _hit(term: Term, view: View, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The match's key and span in the original text, unless its symbols or script differ."""
    if _has_symbols(term, view, first, last):
        span = view.span(first - len(term.head), last + len(term.tail))
        if not is_foreign(term.pattern, view.folded.text[slice(*span)], view.folded):
            yield term.key, *span


def _has_symbols(term: Term, view: View, first: int, last: int) -> bool:
    """Whether the term's symbols ("c++", "#tag") surround the candidate."""
    return (
        len(term.head) <= first
        and view.letters.startswith(term.head, first - len(term.head))
        and view.letters.startswith(term.tail, last)
    )
