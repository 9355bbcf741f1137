"""Checks a response of the decoder, which a hostile picture may have written.

Nothing that the worker stores, logs or shows may surprise it: not in type, not in size. Each
function raises LookupError, TypeError or ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields as fields_of
from typing import Any

from tasks.images import file_formats
from tasks.images.decoder_protocol import Blob, printable

MAX_NUMBER = 2**31 - 1  # PostgreSQL's integer
MAX_TEXT = 500  # characters
MAX_TEXTS = 100
MAX_NUMBERS = 200_000
# Those that a child sends
CODES = frozenset({"unreadable", "damaged", "too_large", "unsupported", "too_hungry"})


def picture(shape: type, fields: dict[str, Any], besides: Collection[str]) -> dict[str, Any]:
    """The values of a dataclass's fields, except `besides`, each checked by its annotation."""
    expected = {field.name: field.type for field in fields_of(shape) if field.name not in besides}
    if expected.keys() != fields.keys():
        raise ValueError(f"fields {sorted(map(str, fields))[:20]}")
    values = {name: _BY_TYPE[str(kind)](fields[name]) for name, kind in expected.items()}
    if values["format"] not in file_formats.FORMATS or min(values["width"], values["height"]) < 1:
        raise ValueError("format or size")
    return values


def numbers(value: Any) -> list[int]:
    """A list of numbers from 0."""
    if not isinstance(value, list) or len(value) > MAX_NUMBERS:
        raise TypeError("not a list of numbers")
    return [number(each) for each in value]


def number(value: Any) -> int:
    """A number from 0 that PostgreSQL takes."""
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise TypeError("not a number")
    return value


def text(value: Any) -> str:
    """A text without control characters, cut to `MAX_TEXT`."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return printable(value[:MAX_TEXT])


def grey(size: Any, blob: Blob, most: int) -> tuple[int, int]:
    """The size of a grey picture of one byte a pixel, which `blob` has."""
    width, height = (number(each) for each in size)
    if not 0 < width * height == len(blob) <= most:
        raise ValueError("the grey picture's size")
    return width, height


def thumbnails(frames: Any, requested: Collection[int], blobs: Sequence[Blob]) -> dict[int, bytes]:
    """Thumbnails by frame: only requested ones, and each a WebP file by its first bytes."""
    drawn = {at: bytes(blob) for at, blob in zip(numbers(frames), blobs, strict=True)}
    if not drawn.keys() <= set(requested) or len(drawn) != len(blobs):
        raise ValueError("a frame that was not requested, or one twice")
    if any(data[:4] != b"RIFF" or data[8:12] != b"WEBP" for data in drawn.values()):
        raise ValueError("a thumbnail is not WebP")
    return drawn


def refusal(fields: dict[str, Any]) -> tuple[str, str]:
    """The code and the sentence of a picture that was not decoded."""
    code, problem = text(fields["code"]), text(fields["problem"])
    if code not in CODES or not problem:
        raise ValueError("an unknown code")
    return code, problem


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_TEXTS:
        raise TypeError("not a list of texts")
    return [text(each) for each in value]


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


_BY_TYPE: dict[str, Callable[[Any], Any]] = {
    "int": number,
    "str": text,
    "bool": _flag,
    "list[int]": numbers,
    "list[str]": _texts,
}
