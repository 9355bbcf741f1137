"""The text as displayed: markup, entities, direction overrides, and each character's place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.matcher.displayed import displayed

pieces = st.sampled_from(
    ["a", "b ", "é", "\u202e", "\u202d", "\u202c", "\n", "<b>", "</p>", "<br/>", "<!-- x -->",
     "&amp;", "&#105;", "&shy;", "[x](y)", "[<i>z</i>][1]", "🇺🇸", "🇫", "<", "&", "[", "]", "(",
     ")", "e\u0301", "ש", "<bdo dir=rtl>", "</bdo>", "\ud800"]
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
        ("🇺🇸 ok", None),
        ("🇦🇧🇨", "abc"),
    ],
)
def test_it_shows_what_a_reader_sees(stored: str, shown: str | None) -> None:
    result = displayed(stored)
    assert (result.text if result else None) == shown


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
