"""The filter of a list page, read from the URL or a form, and written back to a URL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import request

LONGEST = 200  # characters of the search text


def read(choices: Mapping[str, Collection[str]]) -> dict[str, str]:
    """``text`` and the selected value of each choice; unknown values are ignored."""
    valid = {name: value for name, values in choices.items() if (value := _sent(name)) in values}
    return {"text": _sent("q").replace("\0", "").strip()[:LONGEST], **valid}


def query(chosen: Any, choices: Collection[str]) -> dict[str, Any]:
    """The query parameters of a filter; empty values are left out."""
    values = {"q": chosen.text} | {name: getattr(chosen, name) for name in choices}
    return {name: value for name, value in values.items() if value}


def numbers(text: str, most: int = 500) -> list[int]:
    """The integers of a comma-separated list in a URL, at most ``most``."""
    return [int(part) for part in text.split(",")[:most] if part.isdigit()]


def _sent(name: str) -> str:
    """A field of the filter; a form that preserves the filter names it ``filter-NAME``."""
    value: str = request.values.get(f"filter-{name}", request.args.get(name, ""))
    return value
