"""What a list of the console is asked for: its filter, as an address or a form has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import request

LONGEST = 200  # characters of the words that are looked for


def asked(choices: Mapping[str, Collection[str]]) -> dict[str, str]:
    """``text`` and the chosen ones of ``choices``; what is not known counts as not said."""
    told = {name: value for name, known in choices.items() if (value := _sent(name)) in known}
    return {"text": _sent("q").replace("\0", "").strip()[:LONGEST], **told}


def kept(wanted: Any, choices: Collection[str]) -> dict[str, Any]:
    """The filter as an address has it."""
    said = {"q": wanted.text} | {name: getattr(wanted, name) for name in choices}
    return {name: value for name, value in said.items() if value}


def numbers(text: str, most: int = 500) -> list[int]:
    """The numbers of a list by comma, as an address carries what was done."""
    return [int(part) for part in text.split(",")[:most] if part.isdigit()]


def _sent(name: str) -> str:
    """A field of the filter: a form that keeps it calls it ``filter-NAME``."""
    value: str = request.values.get(f"filter-{name}", request.args.get(name, ""))
    return value
