"""The text fields of an upload request: multipart, form or JSON, each at most once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from flask import request

from models.errors import Invalid, Malformed
from webapp.uploads import charset

LONGEST = {"user_id": 200, "title": 1000, "description": 100_000, "external_id": 200}
FIELDS = (*LONGEST, "user_ip", "priority", "surface")
VISIBLE = r"[^\s\ufeff\x00-\x1f\x7f-\x9f]"  # a text must have one; also used in the JSON Schema
MOST_JSON = 2 * 1024 * 1024  # bytes; the longest texts with each letter escaped are 1.3 MB
MOST_VALUES = 1000  # in a JSON body; a request has six
JSON = "application/json"
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_VISIBLE = re.compile(VISIBLE)
# Also one that does not end: a search that failed would start again at each quotation mark.
_JSON_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def read() -> dict[str, Any]:
    """The fields of the request; only their names are checked.

    Raises Malformed, or Invalid for a field that is unknown, repeated or not a text field. A
    repeated field is refused: the client and Sluice could each use a different value.
    """
    if request.mimetype == JSON:
        return of_json()
    if request.mimetype in FORMS:
        fields = _of_form()
    else:
        raise Malformed("Send multipart/form-data, or application/json for text only.")
    if not fields and not request.files:
        raise Malformed("The body has no field.")
    _refuse("Unknown field {}.", set(fields) - set(FIELDS))
    return fields


def of_json() -> dict[str, Any]:
    """The fields of a JSON request; raises the same errors."""
    if request.mimetype != JSON:
        raise Malformed("Send application/json.")
    fields = json_object()
    if "images" in fields:
        raise Invalid("JSON cannot hold images: send multipart/form-data.", field="images")
    if not fields:
        raise Malformed("The body has no field.")
    _refuse("Unknown field {}.", set(fields) - set(FIELDS))
    return fields


def of_query() -> dict[str, Any]:
    """The fields of a request whose body is a picture, from its query; raises Invalid."""
    fields = _once(charset.decode_fields(charset.query_fields(request.query_string), None))
    _refuse("Unknown field {}.", set(fields) - set(FIELDS))
    return fields


def json_object() -> dict[str, Any]:
    """The request's JSON object.

    Raises Malformed, or Invalid for a repeated name or a text that is not in the body's charset.
    """
    request.max_content_length = min(request.max_content_length or MOST_JSON, MOST_JSON)
    data = request.get_data(cache=False)
    if not data:
        raise Malformed("The body is empty.")
    label = request.mimetype_params.get("charset")
    declared = charset.encoding_of(label, "Content-Type") if label else None
    try:
        text = data.decode(declared or json.detect_encoding(data), "surrogateescape")
        whole = text.encode("utf-8", "surrogateescape")
        _refuse_many_values(whole)
        fields = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.") from error
    if not isinstance(fields, dict):
        raise Malformed("The body is not a JSON object.")
    if charset.has_escaped_bytes(text):
        raise _not_decoded(fields, declared)
    return fields


def _not_decoded(fields: dict[str, Any], declared: str | None) -> Malformed | Invalid:
    """The error of a body with bytes that are not in its charset; it names the first such field."""
    for name, value in fields.items():
        if charset.has_escaped_bytes(name) or (
            isinstance(value, str) and charset.has_escaped_bytes(value)
        ):
            return charset.not_in_charset(name.encode("utf-8", "replace").decode(), declared)
    return Malformed("The body is not UTF-8.")


def _refuse_many_values(data: bytes) -> None:
    """Raise Malformed for more than MOST_VALUES values: 2 MB of them take half a second to read."""
    values, end = 0, 0
    for string in _JSON_STRING.finditer(data):
        values += 1 + _marks(data, end, string.start())
        end = string.end()
        if values > MOST_VALUES:
            break
    if values + _marks(data, end, len(data)) > MOST_VALUES:
        raise Malformed(f"The body has more than {MOST_VALUES:,} values.")


def _marks(data: bytes, start: int, end: int) -> int:
    """The commas and opening brackets between two strings."""
    return sum(data.count(mark, start, end) for mark in (b",", b"[", b"{"))


def is_blank(text: str) -> bool:
    """Whether the text has no visible character."""
    return _VISIBLE.search(text) is None


def _of_form() -> dict[str, Any]:
    form = request.form
    if None in form or None in request.files:
        raise Malformed("A part of the body has no name.")
    if "images" in form:
        raise Invalid("images must be files, each with a file name.", field="images")
    _refuse("Send files in the field images, not {}.", set(request.files) - {"images"})
    return _once(form.items(multi=True))


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            _refuse("The field {} is repeated.", {name})
        fields[name] = value
    return fields


def _refuse(sentence: str, names: Iterable[str]) -> None:
    """Raise Invalid if there are such names; the message has the first, truncated."""
    for name in sorted(names)[:1]:
        short = name[:60]
        raise Invalid(sentence.format(repr(short)), field=short)
