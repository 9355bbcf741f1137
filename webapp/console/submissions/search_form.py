"""Converts the fields of the search form (the query of the URL) to a search and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import url_for

from models.clients.client import Client
from models.database.connection import row_id
from models.labels.label_index import labels
from models.submissions.search_conditions import Search
from models.submissions.submission import STATUSES
from models.verdict import VERDICTS

MODES = {"sync": "Sync", "async": "Async", "fast_track": "Fast-track", "direct": "Direct"}
CHECKS = {
    "rules": "Rules",
    "known_hashes": "Known images",
    "duplicates": "Duplicates",
    "classifier": "Network",
    "detector": "Detectors",
    "pictures": "Unreadable pictures",
    "sample": "Random sample",
    "failure": "Machine failed",
}
WORDS = {
    "text": "Words",
    "verdict": "Verdict",
    "status": "Status",
    "mode": "Mode",
    "client": "Client",
    "author": "Author",
    "surface": "Surface",
    "check": "Check",
    "label": "Label",
    "score_from": "Score from",
    "score_to": "Score to",
    "since": "From",
    "until": "To",
    "images": "Pictures",
    "owed": "Full checks",
}
LONGEST_TEXT = 200


@dataclass
class Form:
    """The form: non-empty fields, the resulting search, and the error of each invalid field."""

    values: dict[str, str]
    search: Search = field(default_factory=Search)
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no filter is set."""
        return not self.values

    def address(self) -> str:
        """The URL of this search, without empty fields."""
        fields: dict[str, Any] = dict(self.values)
        return url_for("submissions.index", **fields)

    def without(self, *names: str) -> dict[str, str]:
        """The fields except ``names``, for a link that removes a filter."""
        return {name: value for name, value in self.values.items() if name not in names}

    @property
    def has_more(self) -> bool:
        """Whether a filter under "More filters" is set."""
        shown = {"text", "verdict", "client", "label"}
        return bool((set(self.values) | set(self.faults)) - shown)


def read(arguments: Mapping[str, str]) -> Form:
    """The form from the arguments of a request; errors are stored per field."""
    form = Form({n: arguments[n].strip() for n in WORDS if arguments.get(n, "").strip()})
    values: dict[str, Any] = {
        "client_id": _among(form, "client", None, int),
        "user_id": form.values.get("author"),
        "text": form.values.get("text", "")[:LONGEST_TEXT] or None,
        "verdict": _among(form, "verdict", VERDICTS),
        "status": _among(form, "status", STATUSES),
        "mode": _among(form, "mode", tuple(MODES)),
        "surface": form.values.get("surface", "")[:LONGEST_TEXT] or None,
        "check": _among(form, "check", tuple(CHECKS)),
        "label": _among(form, "label", labels.get().names),
        "score_from": _score(form, "score_from"),
        "score_to": _score(form, "score_to"),
        "since": _day(form, "since"),
        "until": _day(form, "until"),
        "images": _yes_or_no(form, "images"),
        "owed": _yes_or_no(form, "owed"),
    }
    _in_order(form, values, "score_from", "score_to", "Enter the lower score first.")
    _in_order(form, values, "since", "until", "Enter the earlier day first.")
    if "\0" in "".join(form.values.values()):
        form.faults["text"] = "The text contains a NUL character."
    form.search = Search(**values)
    return form


def clients() -> list[tuple[int, str]]:
    """(id, name) of every client, sorted by name."""
    return list(Client.select(Client.id, Client.name).order_by(Client.name).tuples())


def _among(form: Form, name: str, choices: tuple[str, ...] | None, kind: type = str) -> Any:
    value = form.values.get(name)
    if value is None or (choices is not None and value in choices):
        return value
    number = row_id(value) if kind is int else None
    if number is not None:
        return number
    form.faults[name] = "Choose one of the options."
    return None


def _score(form: Form, name: str) -> float | None:
    try:
        number = float(form.values[name].replace(",", "."))
    except KeyError:
        return None
    except ValueError:
        number = -1.0
    if 0.0 <= number <= 1.0:
        return number
    form.faults[name] = "Enter a score between 0 and 1."
    return None


def _day(form: Form, name: str) -> date | None:
    try:
        day = date.fromisoformat(form.values[name])
        if 2000 <= day.year < 2200:
            return day
    except KeyError:
        return None
    except ValueError:
        pass
    form.faults[name] = "Enter a day like 2026-01-31."
    return None


def _yes_or_no(form: Form, name: str) -> bool | None:
    value = _among(form, name, ("yes", "no"))
    return None if value is None else value == "yes"


def _in_order(form: Form, values: dict[str, Any], low: str, high: str, sentence: str) -> None:
    first, last = values[low], values[high]
    if first is not None and last is not None and first > last:
        form.faults[high] = sentence
