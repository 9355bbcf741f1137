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

from models.rules.matcher.accents import has_accents, is_turkish, required_accents
from models.rules.matcher.edges import is_whole
from models.rules.matcher.masked_words import candidates, with_masks, words_of
from models.rules.matcher.normalise import Folded, closes_anywhere, opens_anywhere
from models.rules.matcher.split_words import JOIN, Piece
from models.rules.matcher.text_views import Squeezed, View, plain_view, squeezes, views
from models.rules.matcher.verify import is_foreign, is_loose, spells

_DIGRAPHS = {"f": "ph", "w": "vv"}  # "phuck", "vvhore"
_SHORTEST_RESPELLED = 4
_SHORTEST_RUN_TOGETHER = 6  # letters
_SHORTEST_INSIDE = 5  # letters of a term that is found inside a long row of single letters


class Term(NamedTuple):
    """A word or phrase: its shape, its letters, the symbols required before and after them.

    `accents` are those of the pattern that a match must have; None if the rule ignores accents.
    """

    key: int
    pattern: str
    shape: str
    letters: str
    head: str
    tail: str
    accents: tuple[str, ...] | None


# The terms of one shape: unchanged, without runs of letters, and without spaces.
Owners = tuple[tuple[Term, ...], ...]
_UNCHANGED, _RUNLESS, _RUN_TOGETHER = range(3)
_NO_OWNERS: Owners = ((), (), ())


class Terms:
    """Patterns to find, each with whether its accents are ignored. A key is a pattern's index."""

    # pyahocorasick and ahocorasick_rs are equally fast (3 µs per KB; 10,000 terms: 6 and 8 ms to
    # build, 4 and 2 MB). The former yields matches one by one, so many matches need no memory, and
    # it accepts any string.

    def __init__(self, patterns: Iterable[tuple[str, bool]]) -> None:
        self._literals: list[tuple[int, str]] = []
        owners: dict[str, list[list[Term]]] = {}
        for key, (pattern, ignore_accents) in enumerate(patterns):
            term = _term(key, pattern, ignore_accents=ignore_accents)
            if term is None:
                self._literals.append((key, pattern.strip()))
                continue
            for way, shape, spelling in _ways(term):
                owners.setdefault(_padded(shape), [[], [], []])[way].append(spelling)
        self._reach = max(map(len, owners), default=0)
        self._phrase_words = {
            word for shape in owners if " " in shape[1:-1] for word in shape.split()
        }
        self._automaton: Any = _automaton(owners) if owners else None

    def find(self, folded: Folded, limit: int) -> Iterator[tuple[int, int, int]]:
        """Matches: key, start and end in the original text; a few more than `limit`."""
        for key, literal in self._literals:
            yield from ((key, *span) for span in _occurrences(literal, folded.text, limit))
        if self._automaton is None:
            return
        for view in views(folded):
            yield from islice(self._unmask(view), limit)
            yield from islice(self._look_inside(view), limit)
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
        if not view.masked:
            return
        shape = with_masks(view.shape, view.masked)
        for places in candidates(view, shape, self._phrase_words):
            pattern = f" {' '.join([shape[start:end] for start, end in places])} "
            for found in self._automaton.keys(pattern, JOIN, ahocorasick.MATCH_EXACT_LENGTH):
                for term in self._automaton.get(found)[1][_UNCHANGED]:
                    if _fits(term, view, places):
                        bare = term._replace(accents=None)  # the mask may stand for one
                        yield from _hit(bare, view, places[0][0], places[-1][1])

    def _look_inside(self, view: View) -> Iterator[tuple[int, int, int]]:
        """The terms inside long rows of single letters without gaps between the words."""
        for letters in (stretch for row in view.rows for stretch in row.unspaced()):
            text = "".join([view.shape[at] for at in letters])
            for start in range(len(text) - _SHORTEST_INSIDE + 1):
                known = self._automaton.longest_prefix(f" {text[start : start + self._reach]}") - 1
                for end in range(start + _SHORTEST_INSIDE, start + known + 1):
                    _, owners = self._automaton.get(f" {text[start:end]} ", (0, _NO_OWNERS))
                    for term in (*owners[_UNCHANGED], *owners[_RUN_TOGETHER]):
                        places = letters[start:end]
                        spelled = "".join([view.letters[at] for at in places])
                        if spells((term.shape, term.letters), (text[start:end], spelled)):
                            yield from _hit(term, view, places[0], places[-1] + 1)


def _automaton(owners: dict[str, list[list[Term]]]) -> Any:
    automaton = ahocorasick.Automaton()
    for shape, terms in owners.items():
        automaton.add_word(shape, (len(shape), tuple(map(tuple, terms))))
    automaton.make_automaton()
    return automaton


def _term(key: int, pattern: str, *, ignore_accents: bool) -> Term | None:
    """The pattern as a term; None if it has no letters (an emoji), so it is searched literally."""
    view = plain_view(pattern)
    shape = view.shape.strip(" ")
    if not shape:
        return None
    start = view.shape.index(shape)
    end = start + len(shape)
    head, tail = view.letters[:start].strip(), view.letters[end:].strip()
    accents = None if ignore_accents else required_accents(pattern)
    return Term(key, pattern, shape, view.letters[start:end], head, tail, accents)


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


def _fits(term: Term, view: View, places: list[Piece]) -> bool:
    """Whether the unmasked letters of the words at these places match the term."""
    words = words_of(term.shape)
    if [end - start for start, end in words] != [end - start for start, end in places]:
        return False
    shape, letters, done = "", "", places[0][0]
    for word, (start, end) in zip(words, places, strict=True):
        triples = zip(
            term.letters[slice(*word)],
            view.shape[start:end],
            view.letters[start:end],
            strict=True,
        )
        shape += view.shape[done:start] + term.shape[slice(*word)]
        letters += view.letters[done:start]
        letters += "".join([want if kind == " " else have for want, kind, have in triples])
        done = end
    return spells((term.shape, term.letters), (shape, letters))


def _hit(term: Term, view: View, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The match's key and span in the original text, unless its edges, accents or script differ."""
    if not _has_symbols(term, view, first, last):
        return
    start, end = view.span(first - len(term.head), last + len(term.tail))
    text = view.folded.text
    phrase, joined = " " in term.shape, view.is_joined(first, last)
    together = not phrase and " " in term.pattern
    if (
        is_whole(text, start, end, phrase=phrase, joined=joined, together=together)
        and _has_accents(term, text[start:end], text)
        and not is_foreign(term.pattern, text[start:end], view.folded)
    ):
        yield term.key, start, end


def _has_accents(term: Term, hit: str, text: str) -> bool:
    """Whether the match has the pattern's accents, and no dotless i that is another letter."""
    if term.accents is None:
        return True
    if term.accents:
        return has_accents(term.accents, hit)
    return hit.isascii() or not is_turkish(hit, text)


def _has_symbols(term: Term, view: View, first: int, last: int) -> bool:
    """Whether the term's symbols ("c++", "#tag") surround the candidate."""
    return (
        len(term.head) <= first
        and view.letters.startswith(term.head, first - len(term.head))
        and view.letters.startswith(term.tail, last)
    )
