"""The text as displayed: markup, entities, direction overrides, and each character's place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.matcher.displayed import _replacements, displayed

pieces = st.sampled_from(
    ["a", "b ", "é", "\u202e", "\u202d", "\u202c", "\n", "<b>", "</p>", "<br/>", "<!-- x -->",
     "&amp;", "&#105;", "&shy;", "[x](y)", "[<i>z</i>][1]", "🇺🇸", "🇫", "<", "&", "[", "]", "(",
     ")", "<a b='", '"', "'", ">", "=", "<script>", "</script>", "<!",
     "e\u0301", "ש", "<bdo dir=rtl>", "</bdo>", "\ud800"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("plain & simple < text [1]", None),
        ("a<b>c</b>", "ac"),
        ("a<br>b<p>c", "a\nb\nc"),
        ("x &lt;b&gt; y", "x <b> y"),
        ("&#0105;&#x69;", "ii"),
        ("[a<i>b</i>](http://x.example/?y=1)c", "abc"),
        ("\u202ecba\u202cd", "abcd"),
        ("x\u202ecba\ndef", "xabc\ndef"),
        ("\u202ee\u0301cba", "abce\u0301"),
        ("\u202dאבג\u202c", "גבא"),
        ("\u202eאבג\u202c", "אבג"),
        ('v<a title="a>b">iagra', "viagra"),
        ('v<a title = \'a>"b\' x="<">iagra', "viagra"),
        ('v<b ">iagra', "viagra"),
        ('v<a title="x>iagra', None),
        (f"v<a {'x=1 ' * 500}>iagra", "viagra"),
        ("v<b <>iagra", "viagra"),
        ("v<!-- a>b -->iagra<!-->x<!--->y", "viagraxy"),
        (f"v<!--{'-' * 500}-->iagra", "viagra"),
        ("v<!x>i<?php y?>a</>g</3>ra", "viagra"),
        ("v<script>x</script>iagra", "viagra"),
        ("v<SCRIPT src='>'>if (a<b) '</scripts>'</Script x='>'>iagra", "viagra"),
        ("v<style>b{color:red}</style>iagra<title>z</title >", "viagra"),
        ("v<script>iagra", "viagra"),
        ("v</script>iagra", "viagra"),
        ("[v](http://x (y))iagra", "viagra"),
        ("[v](http://x/(y(z)))iagra", "viagra"),
        ("[v](<a b> 'x y')[ia](/u \"t\")gra", "viagra"),
        ("[v](see also)iagra", None),
        ("[v](x\ny)iagra", None),
        ("🇺🇸 ok", None),
        ("🇦🇧🇨", "abc"),
    ],
)
def test_it_shows_what_a_reader_sees(stored: str, shown: str | None) -> None:
    result = displayed(stored)
    assert (result.text if result else None) == shown


HOSTILE = {
    "tags without an end": "<a ",
    "quotes": "<a b=\"<a b='",
    "quotes and one end": "<a b=\"'<a c='\"",
    "equals signs": "<a = = ='",
    "comments": "<!--<!-",
    "declarations": "<!<?</",
    "scripts": "<script><style>",
    "scripts that are closed by half": "<script></script<style></style a='",
    "links": "[a](",
    "links in links": "[a]([b](c d)",
    "titles": "[a](b \"c' (",
    "brackets": "[(" + "(" * 5,
    "spaces": "<a =" + " " * 50,
}


@pytest.mark.parametrize("tail", ["", ">", '">', "')>", ")" * 50_000])
@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_for_a_hostile_text_grows_with_its_length_alone(name: str, tail: str) -> None:
    stored = HOSTILE[name] * (20_000 // len(HOSTILE[name])) + tail
    assert steps(stored) < 20 * len(stored)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_of_200_kb_is_read(name: str) -> None:
    """Searches inside the regular expressions are no steps; if they were not linear, this hung."""
    stored = HOSTILE[name] * (200_000 // len(HOSTILE[name])) + "')>"
    ends = [end for _, end, _ in _replacements(stored)]
    assert ends == sorted(ends)


def steps(stored: str) -> int:
    """How many lines and calls the reading of a text takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        list(_replacements(stored))
    finally:
        sys.settrace(before)
    return count


@given(st.lists(pieces).map("".join))
def test_each_displayed_character_has_its_place(stored: str) -> None:
    result = displayed(stored)
    if result is None:
        return
    for at, char in enumerate(result.text):
        start, end = result.span(at, at + 1)
        assert 0 <= start < end <= len(stored)
        assert end - start > 1 or stored[start] == char or char.isascii()
    if result.text:
        assert result.span(0, len(result.text))[1] <= len(stored)
