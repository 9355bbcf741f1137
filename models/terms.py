"""Words and phrases, found all at once.

One Aho-Corasick automaton over *shapes* (see `models.shapes`), so that the cost of a scan does
not grow with the terms. It only proposes; each candidate is then spelled out against the letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import ahocorasick

from models.normalise import Folded, closes_anywhere, opens_anywhere
from models.shapes import Squeezed, View, plain_view, squeezes, views
from models.spelling import is_foreign, spells


class Term(NamedTuple):
    """A word or phrase: its shape, its letters, and the symbols required before and after them."""

    key: int
    pattern: str
    shape: str
    letters: str
    head: str
    tail: str


# The terms of one shape: by their single-spaced shape, and by that without any runs.
Owners = tuple[list[Term], list[Term]]


class Terms:
    """Patterns to find. The key of a pattern is its place in `patterns`."""

    # pyahocorasick and ahocorasick_rs measure alike (3 µs a KB; 10,000 terms: 6 and 8 ms to build,
    # 4 and 2 MB). The former yields its matches one by one, so a flood of them costs no memory, and
    # takes any string.

    def __init__(self, patterns: Iterable[str]) -> None:
        self._literals: list[tuple[int, str]] = []
        owners: dict[str, Owners] = {}
        for key, pattern in enumerate(patterns):
            term = _term(key, pattern)
            if term is None:
                self._literals.append((key, pattern.strip()))
                continue
            for squeezed in (Squeezed(term.shape), Squeezed(term.shape, everything=True)):
                shape = _padded(squeezed.squeezed)
                owners.setdefault(shape, ([], []))[squeezed.everything].append(term)
        self._reach = max(map(len, owners), default=0)
        self._automaton = _automaton(owners) if owners else None

    def find(self, folded: Folded, limit: int) -> Iterator[tuple[int, int, int]]:
        """Hits: key, start and end in the original text; somewhat more than the first `limit`."""
        for key, literal in self._literals:
            yield from ((key, *span) for span in _occurrences(literal, folded.text, limit))
        if self._automaton is None:
            return
        for view in views(folded):
            for squeezed in squeezes(view):
                yield from self._scan(view, squeezed, limit)

    def _scan(self, view: View, squeezed: Squeezed, limit: int) -> Iterator[tuple[int, int, int]]:
        assert self._automaton is not None
        hits, stop = 0, len(squeezed.squeezed)
        for last, (size, owners) in self._automaton.iter(squeezed.squeezed):
            if last > stop:
                return
            terms = owners[squeezed.everything]
            for hit in _spelled(view, squeezed, terms, last + 1 - size, last + 1):
                hits += 1
                yield hit
            # Some way on: an exception around the last hit may end after it.
            stop = min(stop, last + self._reach) if hits >= limit else stop


def _automaton(owners: dict[str, Owners]) -> Any:
    automaton = ahocorasick.Automaton()
    for shape, terms in owners.items():
        automaton.add_word(shape, (len(shape), terms))
    automaton.make_automaton()
    return automaton


def _term(key: int, pattern: str) -> Term | None:
    """The pattern as a term; None where it has no letters (an emoji), and is found as it is."""
    view = plain_view(pattern)
    shape = view.shape.strip(" ")
    if not shape:
        return None
    start = view.shape.index(shape)
    end = start + len(shape)
    head, tail = view.letters[:start].strip(), view.letters[end:].strip()
    return Term(key, pattern, shape, view.letters[start:end], head, tail)


def _padded(shape: str) -> str:
    """The shape with the spaces that make it match whole words only, where its script has them."""
    head = "" if opens_anywhere(shape[0]) else " "
    tail = "" if closes_anywhere(shape[-1]) else " "
    return f"{head}{shape}{tail}"


def _occurrences(literal: str, text: str, limit: int) -> Iterator[tuple[int, int]]:
    at = text.find(literal)
    while at >= 0 and limit > 0:
        yield at, at + len(literal)
        at, limit = text.find(literal, at + len(literal)), limit - 1


def _spelled(
    view: View, squeezed: Squeezed, terms: list[Term], start: int, end: int
) -> Iterator[tuple[int, int, int]]:
    """The terms that `squeezed[start:end]`, which has their shape, really spells."""
    if not terms:
        return
    first = squeezed.place(start + (squeezed.squeezed[start] == " "))
    last = squeezed.place(end - (squeezed.squeezed[end - 1] == " "))
    candidate = view.shape[first:last], view.letters[first:last]
    for term in terms:
        if spells((term.shape, term.letters), candidate) and _has_symbols(term, view, first, last):
            span = view.span(first - len(term.head), last + len(term.tail))
            if not is_foreign(term.pattern, view.folded.text[slice(*span)], view.folded):
                yield term.key, *span


def _has_symbols(term: Term, view: View, first: int, last: int) -> bool:
    """Whether the symbols around the term ("c++", "#tag") stand around the candidate."""
    return (
        len(term.head) <= first
        and view.letters.startswith(term.head, first - len(term.head))
        and view.letters.startswith(term.tail, last)
    )
