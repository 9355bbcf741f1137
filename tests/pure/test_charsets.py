"""The texts of forms, decoded by the charset that they declare."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.http import parse_options_header

from models.errors import Invalid, Malformed, TooLarge
from tests.support.raw import multipart, part
from webapp.uploads import charset
from webapp.uploads.multipart import BoundedParser

PARTS = "multipart/form-data; boundary=b"
FORM = "application/x-www-form-urlencoded"
# A text, the label that browsers or libraries give it, and Python's codec for its bytes.
DECLARED = [
    ("Café – 5 €", "windows-1252", "cp1252"),
    ("Café – 5 €", "ISO-8859-1", "cp1252"),  # browsers read this label so
    ("Größe", "latin1", "latin-1"),
    ("zażółć gęślą jaźń", "iso-8859-2", "iso8859-2"),
    ("Сдам квартиру", "windows-1251", "cp1251"),
    ("Сдам квартиру", "KOI8-R", "koi8-r"),
    ("日本語の本", "Shift_JIS", "cp932"),
    ("日本語の本", "euc-jp", "euc_jp"),
    ("日本語の本", "iso-2022-jp", "iso2022_jp"),
    ("简体中文", "gb2312", "gb18030"),
    ("繁體中文", "Big5", "big5"),
    ("한국어", "euc-kr", "cp949"),
    ("Café", "utf8", "utf-8"),
    ("Café", "us-ascii", "utf-8"),
    ("Café", "unicode-1-1-utf-8", "utf-8"),
    ("Café", "utf8mb4", "utf-8"),
    ("Café – 5 €", "x-cp1252", "cp1252"),
    ("简体中文", "x-gbk", "gb18030"),
    ("한국어", "windows-949", "cp949"),
    ("日本語の本", "x-euc-jp", "euc_jp"),
    ("Сдам", "x-mac-cyrillic", "mac-cyrillic"),
    ("שלום", "iso-8859-8-i", "iso8859-8"),
]


def parse(body: bytes, kind: str) -> tuple[list[tuple[str, str]], list[str | None]]:
    """The fields of a form, and the names of its files."""
    mimetype, options = parse_options_header(kind)
    parser = BoundedParser(
        stream_factory=lambda **_: io.BytesIO(),  # type: ignore[arg-type]
        max_form_memory_size=512 * 1024,
        max_form_parts=64,
        cls=MultiDict,
    )
    _, form, files = parser.parse(io.BytesIO(body), mimetype, len(body), options)
    names = [file.filename for _, file in files.items(multi=True)]
    return list(form.items(multi=True)), names


@pytest.mark.parametrize(("text", "label", "codec"), DECLARED)
def test_a_declared_charset_is_used(text: str, label: str, codec: str) -> None:
    data = text.encode(codec)
    declared = part("title", data, kind=f"text/plain; charset={label}")
    title = [("title", text)]
    assert parse(multipart(declared), PARTS)[0] == title
    plain, field = part("title", data), part("_charset_", label.encode())
    assert parse(multipart(plain), f"{PARTS}; charset={label}")[0] == title
    assert parse(multipart(plain, field), PARTS)[0] == title
    assert parse(multipart(field, plain), PARTS)[0] == title
    encoded = b"title=" + quote_from_bytes(data).encode()
    assert parse(encoded, f"{FORM}; charset={label}")[0] == title
    assert parse(encoded + b"&_charset_=" + label.encode(), FORM)[0] == title


def test_the_part_counts_before_the_form_and_the_form_before_the_request() -> None:
    own = part("title", "é".encode("cp1252"), kind="text/plain; charset=cp1252")
    plain = part("description", "я".encode("koi8-r"))
    body = multipart(own, plain, part("_charset_", b"koi8-r"))
    assert parse(body, f"{PARTS}; charset=utf-8")[0] == [("title", "é"), ("description", "я")]


@pytest.mark.parametrize("data", [b"caf\xe9", b"\xc0\xaf", b"\xed\xa0\x80", b"\xff\xfea\0"])
def test_a_text_in_no_declared_charset_is_refused_by_name(data: bytes) -> None:
    for body, kind in (
        (multipart(part("title", data)), PARTS),
        (b"user_id=a&title=" + data.replace(b"\0", b"%00"), FORM),
        (b"title=" + quote_from_bytes(data).encode(), FORM),
        (multipart(part("title", data, kind="text/plain; charset=utf-8")), PARTS),
    ):
        with pytest.raises(Invalid) as refused:
            parse(body, kind)
        assert refused.value.field == "title"
        assert "title is not" in refused.value.detail


@pytest.mark.parametrize(
    "label", ["zlib", "utf-7", "utf-16", "unicode_escape", "idna", "rot13", "hex", "x" * 4000]
)
def test_a_charset_that_is_none_for_forms_is_refused(label: str) -> None:
    for kind, body, field in (
        (PARTS, multipart(part("title", b"x", kind=f"text/plain; charset={label}")), "title"),
        (PARTS, multipart(part("_charset_", label.encode())), "_charset_"),
        (f"{FORM}; charset={label}", b"title=x", "Content-Type"),
    ):
        with pytest.raises(Invalid, match="is not supported") as refused:
            parse(body, kind)
        assert refused.value.field == field


def test_the_headers_of_a_part_are_bounded() -> None:
    """Lines of headers cost as much as 300 bytes of text each."""
    name = b'Content-Disposition: form-data; name="title"\r\n'
    for more in (b"a: b\r\n" * 33, b"a: " + b"b" * 9000 + b"\r\n"):
        with pytest.raises(TooLarge, match="lines of headers"):
            parse(b"--b\r\n" + name + more + b"\r\nx\r\n--b--\r\n", PARTS)
    few = name + b"a: b\r\n" * 20
    assert parse(b"--b\r\n" + few + b"\r\nx\r\n--b--\r\n", PARTS)[0] == [("title", "x")]


def test_two_charsets_are_refused() -> None:
    with pytest.raises(Invalid, match="repeated"):
        parse(b"_charset_=utf-8&_charset_=koi8-r", FORM)


def test_a_file_name_that_is_not_utf_8_takes_nothing_away() -> None:
    title = part("title", b"x")
    picture = part("images", b"x", filename="?").replace(b"?", "café.jpg".encode("latin-1"))
    assert parse(multipart(title, picture), PARTS) == ([("title", "x")], ["café.jpg"])
    name = "写真.jpg".encode("cp932")
    picture = part("images", b"x", filename="?").replace(b"?", name)
    body = multipart(part("_charset_", b"shift_jis"), title, picture)
    assert parse(body, PARTS) == ([("title", "x")], ["写真.jpg"])


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (multipart(part("title", b"x")), "multipart/form-data", "names no boundary"),
        (b"", PARTS, "The body is empty"),
        (
            multipart(part("title", b"x"), boundary=b"c", end=b"--c--"),
            PARTS,
            "The body has no part",
        ),
        (multipart(part("title", b"x"), end=b""), PARTS, "The body is incomplete"),
        (multipart(b"X: y\r\n\r\nx\r\n"), PARTS, "has no Content-Disposition"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(body: bytes, kind: str, sentence: str) -> None:
    with pytest.raises(Malformed, match=sentence):
        parse(body, kind)


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (multipart(part("title", b"x" * 600_000)), PARTS, "title has more than 512 KB"),
        (multipart(*[part("a", b"")] * 65), PARTS, "more than 64 parts"),
        (b"a=" + b"x" * 600_000, FORM, "at most 512 KB"),
        (b"a=1&" * 1000, FORM, "at most 1,000 fields"),
    ],
)
def test_a_limit_is_named_with_its_unit(body: bytes, kind: str, sentence: str) -> None:
    with pytest.raises(TooLarge, match=sentence):
        parse(body, kind)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_utf_8_needs_no_declaration(fields: list[tuple[str, str]]) -> None:
    fields = [(name, text) for name, text in fields if name != charset.CHARSET_FIELD]
    body = b"&".join(
        quote_from_bytes(name.encode()).encode() + b"=" + quote_from_bytes(text.encode()).encode()
        for name, text in fields
    )
    assert sorted(parse(body, FORM)[0]) == sorted(fields)


@given(st.binary(max_size=60), st.sampled_from([label for _, label, _ in DECLARED]))
def test_any_bytes_are_a_text_or_refused(data: bytes, label: str) -> None:
    """No text has U+FFFD that its author did not write."""
    fields: list[Any] = [charset.RawField(b"title", data, label)]
    try:
        [(_, text)] = charset.decode_fields(fields, None)
    except Invalid as refused:
        assert refused.field == "title"
    else:
        assert "\ufffd" not in text or label in ("utf8", "us-ascii", "gb2312")  # they have it
