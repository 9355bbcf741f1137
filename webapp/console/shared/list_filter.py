"""The filter of a list page, read from the URL or a form, and written back to a URL."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from flask import request

from models.clients.client import Client
from models.database.connection import row_id
from models.errors import NotFound

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
    return row_ids(text.split(",")[:most])


def row_ids(texts: Iterable[str]) -> list[int]:
    """The ids among the texts, such as the values of a form's checkboxes."""
    return [number for number in map(row_id, texts) if number is not None]


def client(text: str) -> Client | None:
    """The client of a field in which empty means all clients; raises NotFound for any other text.

    Never all clients for a text that names none: an action would reach clients nobody chose.
    """
    if not text:
        return None
    number = row_id(text)
    if number is None:
        raise NotFound("There is no such client. Choose one of the list, or all clients.")
    return Client.find(number)


def _sent(name: str) -> str:
    """A field of the filter; a form that preserves the filter names it ``filter-NAME``."""
    value: str = request.values.get(f"filter-{name}", request.args.get(name, ""))
    return value
