"""The text as it is displayed: without markup, entities decoded, overridden text in its order.

A site may show a text as HTML or as Markdown, and a browser always obeys direction controls, so a
reader may see another text than the one that is stored: "vi<b>ag</b>ra", "v&#105;agra",
"[via](x)gra", "🇻🇮🇦🇬🇷🇦", or "argaiv" after a right-to-left override. The matcher reads both.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

_START = re.compile("[<&\\[\U0001f1e6-\U0001f1ff]")
_LONGEST_TAG = 300  # characters; bounded, so that every search takes linear time
_MARKUP = re.compile(
    r"<!--[^>]{0,100}-->"
    rf"|<(?P<close>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]{{0,15}})(?P<rest>[\s/][^<>]{{0,{_LONGEST_TAG}}})?>"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});?)"
    rf"|\[(?P<label>[^\[\]\n]{{1,{_LONGEST_TAG}}})\](?:\([^()\s]{{0,{_LONGEST_TAG}}}\)|\[[^\[\]\s]{{0,60}}\])"
    r"|(?P<flags>[\U0001f1e6-\U0001f1ff]+)"
)
_BLOCKS = frozenset(
    """address article aside blockquote br dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5
    h6 header hr li main nav ol option p pre section table td th tr ul""".split()
)
_LEFT_TO_RIGHT, _RIGHT_TO_LEFT, _POP = "\u202d", "\u202e", "\u202c"
_RTL_ATTRIBUTE = re.compile(r"\bdir\s*=\s*[\"']?rtl", re.IGNORECASE)
_PARAGRAPH_ENDS = frozenset("\n\r\x85\u2029")
_FLAG = 2  # regional indicators

_FIRST_INDICATOR = ord("\U0001f1e6")

Span = tuple[int, int]
Replacement = tuple[int, int, str]  # start, end, and the characters displayed instead


class Displayed:
    """A text as displayed, and the place of each of its characters in the stored text."""

    __slots__ = ("_places", "_replaced", "text")

    def __init__(self, stored: str, replacements: list[Replacement]) -> None:
        chars: list[str] = []
        places: list[Span] = []
        self._replaced = bytearray(len(stored) + 1)
        done = 0
        for start, end, shown in replacements:
            self._replaced[start:end] = b"\1" * (end - start)
            chars += [*stored[done:start], *shown]
            places += [(at, at + 1) for at in range(done, start)]
            places += [(start, end)] * len(shown)
            done = end
        chars += stored[done:]
        places += [(at, at + 1) for at in range(done, len(stored))]
        order = list(_display_order(chars))
        self.text = "".join([chars[at] for at in order])
        self._places = [places[at] for at in order]

    def span(self, start: int, end: int) -> Span:
        """The span in the stored text of `text[start:end]`, which must not be empty."""
        places = self._places[start:end]
        return min(first for first, _ in places), max(last for _, last in places)

    def touches(self, start: int, end: int) -> bool:
        """Whether `stored[start:end]` begins or ends beside what is displayed otherwise.

        Only the displayed text says what is beside it then: "j&#39;ai" has no word "ai".
        """
        first, last = self._replaced[start], self._replaced[end - 1]
        before = start > 0 and self._replaced[start - 1]
        return bool((before and not first) or (self._replaced[end] and not last))


def displayed(stored: str) -> Displayed | None:
    """The text as displayed; None if it is displayed as it is stored."""
    if stored.isascii() and not ("<" in stored or "&" in stored or "[" in stored):
        return None
    changes = list(_replacements(stored))
    if not changes and _LEFT_TO_RIGHT not in stored and _RIGHT_TO_LEFT not in stored:
        return None
    return Displayed(stored, changes)


def _replacements(stored: str) -> Iterator[Replacement]:
    """What is displayed otherwise, in order."""
    done = 0
    for opening in _START.finditer(stored):
        if opening.start() < done:
            continue
        found = _MARKUP.match(stored, opening.start())
        if found is not None:
            done = found.end()
            for start, end, shown in _replacement(stored, found):
                if shown != stored[start:end]:
                    yield start, end, shown


def _replacement(stored: str, found: re.Match[str]) -> Iterator[Replacement]:
    start, end = found.span()
    if found["label"]:
        first, last = found.span("label")
        yield start, first, ""
        yield from _within(stored, first, last)
        yield last, end, ""
    elif found["entity"]:
        yield start, end, html.unescape(found[0])
    elif found["flags"]:
        if not _is_flag(stored, start, end):
            for at in range(start, end):
                yield at, at + 1, chr(ord(stored[at]) - _FIRST_INDICATOR + ord("a"))
    else:
        yield start, end, _tag(found) if found["tag"] else ""


def _within(stored: str, first: int, last: int) -> Iterator[Replacement]:
    """The replacements inside a link's label, which holds no other link."""
    inner = stored[first:last]
    yield from ((first + start, first + end, shown) for start, end, shown in _replacements(inner))


def _tag(found: re.Match[str]) -> str:
    name = found["tag"].lower()
    if name == "bdo":
        if found["close"]:
            return _POP
        return _RIGHT_TO_LEFT if _RTL_ATTRIBUTE.search(found["rest"] or "") else _LEFT_TO_RIGHT
    return "\n" if name in _BLOCKS else ""


def _is_flag(stored: str, start: int, end: int) -> bool:
    """Whether regional indicators are one flag, not letters: a pair that stands alone."""
    alone = not stored[start - 1 : start].isalnum() and not stored[end : end + 1].isalnum()
    return end - start == _FLAG and alone


def _display_order(chars: list[str]) -> Iterator[int]:
    """The places of the characters in the order in which a reader reads them.

    Inside a right-to-left override, letters that are read from left to right stand in reverse; so
    do Hebrew and Arabic letters inside a left-to-right override.
    """
    run: list[int] = []
    override, depth = "", 0
    for at, char in enumerate(chars):
        if char in (_LEFT_TO_RIGHT, _RIGHT_TO_LEFT):
            override, depth = override or char, depth + 1
        elif override and (char == _POP or char in _PARAGRAPH_ENDS):
            depth = depth - 1 if char == _POP else 0
            if depth == 0:
                yield from _reordered(chars, run, override)
                run, override = [], ""
                if char != _POP:
                    yield at
        elif override:
            run.append(at)
        else:
            yield at
    yield from _reordered(chars, run, override)


def _reordered(chars: list[str], run: list[int], override: str) -> Iterator[int]:
    backwards = ("R", "AL") if override == _LEFT_TO_RIGHT else ("L",)
    if not any(unicodedata.bidirectional(chars[at]) in backwards for at in run):
        return iter(run)
    clusters: list[list[int]] = []
    for at in run:
        if clusters and unicodedata.combining(chars[at]):
            clusters[-1].append(at)
        else:
            clusters.append([at])
    return (at for cluster in reversed(clusters) for at in cluster)
