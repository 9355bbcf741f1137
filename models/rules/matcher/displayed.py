"""The text as it is displayed: without markup, entities decoded, overridden text in its order.

A site may show a text as HTML or as Markdown, and a browser always obeys direction controls, so a
reader may see another text than the one that is stored: "vi<b>ag</b>ra", "v&#105;agra",
"[via](x)gra", "🇻🇮🇦🇬🇷🇦", or "argaiv" after a right-to-left override. The matcher reads both.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property

_START = re.compile("[<&\\[\U0001f1e6-\U0001f1ff]")
_LONGEST_LABEL = 300  # characters; bounded, so that every search takes linear time
# What has an end of any distance is only begun here; `_Markup` finds the end.
_MARKUP = re.compile(
    r"(?P<comment><!--)|(?P<odd><[!?]|</(?![a-zA-Z]))"
    r"|<(?P<close>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9_-]{0,40})(?=[\s/>])"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});?)"
    rf"|\[(?P<label>[^\[\]\n]{{1,{_LONGEST_LABEL}}})\](?:(?P<link>\()|\[[^\[\]\s]{{0,60}}\])"
    r"|(?P<flags>[\U0001f1e6-\U0001f1ff]+)"
)
# Browsers display nothing of what stands inside these.
_HIDDEN = frozenset("iframe noembed noframes noscript script style template title".split())
_LONGEST_LINK = 1000  # characters of a link's address and title
_DELIMITER = re.compile(r">|=\s*(?P<quote>[\"'])")
_COMMENT_END = re.compile(r"--!?>")
_HIDDEN_END = re.compile(rf"</(?P<name>{'|'.join(sorted(_HIDDEN))})(?=[\s/>])", re.IGNORECASE)
_BRACKETS = re.compile(r"[()\n]")
_LINK = re.compile(
    r"\s*+(?:<[^<>\n]*+>|[^\s<]\S*+)?"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?\s*+"
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
    done, markup = 0, _Markup(stored)
    for opening in _START.finditer(stored):
        if opening.start() < done:
            continue
        found = _MARKUP.match(stored, opening.start())
        if found is not None and (after := _end(markup, found)):
            done = after
            for start, end, shown in _replacement(stored, found, after):
                if shown != stored[start:end]:
                    yield start, end, shown


def _end(markup: _Markup, found: re.Match[str]) -> int:
    """The offset behind what is displayed otherwise; 0 if it is not closed."""
    at = found.end()
    if found["comment"]:
        return markup.comment_end(at)
    if found["odd"]:
        return markup.bracket_end(at)
    if found["link"]:
        return markup.link_end(at - 1)
    if not found["tag"]:
        return at
    end, name = markup.tag_end(at), found["tag"].lower()
    if end and name in _HIDDEN and not found["close"]:
        return markup.hidden_end(name, end) or end
    return end


def _replacement(stored: str, found: re.Match[str], end: int) -> Iterator[Replacement]:
    start = found.start()
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
        yield start, end, _tag(found, stored[found.end() : end]) if found["tag"] else ""


def _within(stored: str, first: int, last: int) -> Iterator[Replacement]:
    """The replacements inside a link's label, which holds no other link."""
    inner = stored[first:last]
    yield from ((first + start, first + end, shown) for start, end, shown in _replacements(inner))


def _tag(found: re.Match[str], attributes: str) -> str:
    name = found["tag"].lower()
    if name == "bdo":
        if found["close"]:
            return _POP
        return _RIGHT_TO_LEFT if _RTL_ATTRIBUTE.search(attributes) else _LEFT_TO_RIGHT
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


class _Markup:
    """Where tags, comments, hidden elements and Markdown links end; 0 if they have no end.

    What a failed search has passed is kept, so that no later one passes it again: the work for all
    of a text is linear.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: set[int] = set()  # delimiters from which no tag ends

    def tag_end(self, at: int) -> int:
        """The offset behind the ``>`` that closes a tag, from behind its name on.

        One inside a quoted value does not. A value is quoted if the quote follows ``=``.
        """
        starts, found = self._delimiters
        passed = []
        index = bisect_left(starts, at)
        while index < len(starts) and index not in self._open:
            passed.append(index)
            match = found[index]
            if not match["quote"]:
                return match.end()
            close = self._text.find(match["quote"], match.end())
            if close < 0:
                break
            index = bisect_left(starts, close + 1)
        self._open.update(passed)
        return 0

    def comment_end(self, at: int) -> int:
        """The offset behind a comment whose text begins at `at`."""
        if self._text.startswith(("->", ">"), at):
            return self._text.index(">", at) + 1
        return _following(self._comment_ends, at)

    def bracket_end(self, at: int) -> int:
        """The offset behind the next ``>``, which ends what browsers take for a comment."""
        return _following(self._angles, at)

    def hidden_end(self, name: str, at: int) -> int:
        """The offset behind the closing tag of a hidden element whose body begins at `at`."""
        after_name = _following(self._hidden_ends.get(name, []), at)
        return self.tag_end(after_name) if after_name else 0

    def link_end(self, at: int) -> int:
        """The offset behind the address and title of a Markdown link, which `at` opens by ``(``."""
        close = self._pairs.get(at, 0)
        if not 0 < close - at <= _LONGEST_LINK:
            return 0
        return close + 1 if _LINK.fullmatch(self._text, at + 1, close) else 0

    @cached_property
    def _delimiters(self) -> tuple[list[int], list[re.Match[str]]]:
        found = list(_DELIMITER.finditer(self._text))
        return [match.start() for match in found], found

    @cached_property
    def _comment_ends(self) -> list[int]:
        return [match.end() for match in _COMMENT_END.finditer(self._text)]

    @cached_property
    def _angles(self) -> list[int]:
        return [match.end() for match in re.finditer(">", self._text)]

    @cached_property
    def _hidden_ends(self) -> dict[str, list[int]]:
        """The offsets behind the names of closing tags."""
        ends: dict[str, list[int]] = {}
        for match in _HIDDEN_END.finditer(self._text):
            ends.setdefault(match["name"].lower(), []).append(match.end())
        return ends

    @cached_property
    def _pairs(self) -> dict[int, int]:
        """The place of the closing bracket of each opening one in its line."""
        pairs: dict[int, int] = {}
        opened: list[int] = []
        for match in _BRACKETS.finditer(self._text):
            if match[0] == "(":
                opened.append(match.start())
            elif match[0] == "\n":
                opened.clear()
            elif opened:
                pairs[opened.pop()] = match.start()
        return pairs


def _following(ends: list[int], at: int) -> int:
    """The first of these offsets behind `at`; 0 if there is none."""
    index = bisect_left(ends, at + 1)
    return ends[index] if index < len(ends) else 0
