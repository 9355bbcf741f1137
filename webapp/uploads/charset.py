"""The texts of a request, decoded by the charset that it declares; UTF-8 if it declares none.

A text that is not in its charset is refused: stored with U+FFFD in place of its letters, it would
pass every rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from encodings.aliases import aliases
from functools import cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from models.errors import Invalid

CHARSET_FIELD = "_charset_"  # of a form; HTML and RFC 7578 define it
UTF_8 = "utf-8"
# The encodings that the Encoding Standard has for forms, by Python's names. UTF-16 is not one of
# them, and UTF-7 and Python's own codecs would be a way past the rules.
_ENCODINGS = (
    "big5hkscs cp866 cp874 cp932 cp949 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257"
    " cp1258 euc_jp gb18030 iso2022_jp iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7"
    " iso8859_8 iso8859_10 iso8859_13 iso8859_14 iso8859_15 iso8859_16 koi8_r koi8_u mac_cyrillic"
    " mac_roman utf_8"
).split()
# As browsers do, a label of a subset is read as the larger encoding; ASCII as UTF-8.
_READ_AS = {
    "ascii": "utf_8",
    "latin_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}
# Labels of the Encoding Standard that Python does not know, and MySQL's name of UTF-8.
_FURTHER_LABELS = {
    "dos-874": "cp874",
    "iso-8859-8-e": "iso8859_8",
    "iso-8859-8-i": "iso8859_8",
    "koi8-ru": "koi8_u",
    "logical": "iso8859_8",
    "unicode-1-1-utf-8": "utf_8",
    "unicode11utf8": "utf_8",
    "unicode20utf8": "utf_8",
    "utf8mb4": "utf_8",
    "visual": "iso8859_8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gb18030",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-roman": "mac_roman",
    "x-mac-ukrainian": "mac_cyrillic",
    "x-sjis": "cp932",
    "x-unicode20utf8": "utf_8",
    "x-x-big5": "big5hkscs",
    **{f"x-cp125{number}": f"cp125{number}" for number in range(9)},
}
_ESCAPED = re.compile("[\udc80-\udcff]")  # a byte that `surrogateescape` kept


class RawField(NamedTuple):
    """A field of a form before it is decoded; ``charset`` is the label that its part declares."""

    name: bytes
    value: bytes
    charset: str | None = None


def encoding_of(label: str, field: str) -> str:
    """Python's name of the encoding with this label. Raises Invalid, naming ``field``."""
    name = _labels().get(_key(label))
    if name is None:
        raise Invalid(f"The charset {label[:40]!r} is not supported. Send UTF-8.", field=field[:60])
    return name


def decode_fields(fields: Sequence[RawField], charset: str | None) -> list[tuple[str, str]]:
    """Names and texts of a form. ``charset`` is the label in the request's Content-Type.

    The charset of a part counts first, then the field ``_charset_``, which is not returned, then
    that of the request. Raises Invalid, which names the field, for a text that is not in it.
    """
    encoding = form_encoding(fields, charset)
    texts = []
    for raw in fields:
        name = decode_name(raw.name, encoding)
        if name != CHARSET_FIELD:
            texts.append((name, _text(raw, name, encoding)))
    return texts


def form_encoding(fields: Iterable[RawField], charset: str | None) -> str | None:
    """The encoding of the fields that declare none; raises Invalid for one that is unknown."""
    labels = [raw.value for raw in fields if raw.name == CHARSET_FIELD.encode()]
    if len(labels) > 1:
        raise Invalid(f"The field {CHARSET_FIELD!r} is repeated.", field=CHARSET_FIELD)
    label = labels[0].decode("ascii", "replace").strip() if labels else ""
    if label:
        return encoding_of(label, CHARSET_FIELD)
    return encoding_of(charset, "Content-Type") if charset else None


def query_fields(data: bytes) -> list[RawField]:
    """The fields of a query or of a url-encoded form."""
    pairs = parse_qsl(data.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return [RawField(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def decode_name(name: bytes, encoding: str | None) -> str:
    """The name of a field or a file. It is no text to moderate, so every name can be read."""
    try:
        return name.decode(encoding or UTF_8)
    except UnicodeDecodeError:
        return name.decode("latin-1")


def not_in_charset(field: str, encoding: str | None) -> Invalid:
    """The error for a field whose bytes are not in its encoding; None is UTF-8 by default."""
    if encoding is None:
        detail = f"{field[:60]} is not UTF-8, and the request declares no other charset."
    else:
        detail = f"{field[:60]} is not in the charset that the request declares for it, {encoding}."
    return Invalid(detail, field=field[:60])


def has_escaped_bytes(text: str) -> bool:
    """Whether decoding with ``surrogateescape`` kept a byte of this text."""
    return _ESCAPED.search(text) is not None


def _text(raw: RawField, name: str, encoding: str | None) -> str:
    if raw.charset:
        encoding = encoding_of(raw.charset, name)
    try:
        return raw.value.decode(encoding or UTF_8)
    except UnicodeDecodeError as error:
        raise not_in_charset(name, encoding) from error


@cache
def _labels() -> dict[str, str]:
    """Every label of an accepted encoding. Python's own lookup would cache all that it is asked."""
    named = {name: name for name in _ENCODINGS} | _READ_AS
    labels = {_key(alias): named[codec] for alias, codec in aliases.items() if codec in named}
    labels |= {_key(name): name_read for name, name_read in named.items()}
    return labels | {_key(label): named[codec] for label, codec in _FURTHER_LABELS.items()}


def _key(label: str) -> str:
    return re.sub(r"[^0-9a-z]", "", label[:40].lower())
