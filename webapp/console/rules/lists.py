"""Shared by the pages of rules and known images: list, filter, import, export, notice.

Each page describes its differences in a ``ListPage``; templates/rules/ renders both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_login import login_required
from markupsafe import Markup

from models.database.connection import row_id
from models.labels.label_index import labels
from models.submissions import finding_counts
from webapp.console.shared import list_filter, sheet_upload
from webapp.http import fragments
from webapp.http.body_limits import accepts
from webapp.signin import auth

ROWS = 60


@dataclass(frozen=True, slots=True)
class ListPage:
    """One of the two lists: its blueprint, its models and its texts."""

    page: str  # name of the blueprint, and folder of its own templates
    path: str  # below the blueprint's prefix
    listing: ModuleType  # in models: page()
    filter_type: Callable[..., Any]  # in models: RuleFilter or KnownHashFilter
    sheets: ModuleType  # in models: plan(), load() and export()
    facts: tuple[str, ...]  # columns of an export
    fixed_choices: Mapping[str, Collection[str]]  # values of each filter but the labels
    any_words: Mapping[str, str]  # text of each unset filter, in the order of the form
    title: str
    singular: str
    plural: str
    list_id: str  # of the element that htmx replaces
    search_label: str
    search_hint: str
    picture: str  # icon of the empty state
    more_words: str
    value_words: Mapping[str, str] = field(default_factory=dict)  # text of values that are no label
    new: str = ""  # endpoint that creates an entry, with the search text as its pattern

    @property
    def choices(self) -> dict[str, Collection[str]]:
        """The values of each filter, in the order of the form."""
        values = {**self.fixed_choices, "label": labels.get().names}
        return {name: values[name] for name in self.any_words}

    def filter(self) -> Any:
        """The filter of the request."""
        return self.filter_type(**list_filter.read(self.choices))

    def kept(self) -> dict[str, Any]:
        """The query parameters of the filter."""
        return list_filter.query(self.filter(), self.choices)

    def kept_fields(self) -> list[tuple[str, Any]]:
        """The filter as hidden fields of a form."""
        return [(f"filter-{name}", value) for name, value in self.kept().items()]

    def address(self, **more: Any) -> str:
        """The URL of the list with the current filter."""
        return url_for(f"{self.page}.show", **more, **self.kept())

    def listed(self) -> dict[str, Any]:
        """The values that every template of the list needs: one page of rows and the filter."""
        chosen, after = self.filter(), request.args.get("after", "")
        rows = self.listing.page(chosen, ROWS + 1, row_id(after))
        return {
            "list_page": self,
            "rows": rows[:ROWS],
            "more": len(rows) > ROWS,
            "most_hits": finding_counts.MOST_HITS,
            "chosen": chosen,
            "kept": self.kept(),
        }

    def template(self) -> str:
        """The template for a request of the list: the page, the list, or its next rows."""
        if not fragments.is_requested():
            return f"{self.page}/page.html"
        return "rules/_rows.html" if request.args.get("after") else "rules/_list.html"


@dataclass(frozen=True, slots=True)
class ListNotice:
    """The result of an action, at the bottom of the page, and the form that undoes it."""

    words: str
    undo: str = ""  # URL
    fields: Iterable[tuple[str, Any]] = ()
    is_fragment: bool = False  # the undo does not reload the page


def add_sheet_pages(pages: Blueprint, list_page: ListPage) -> None:
    """Add the import with its two steps, and the export of the filtered rows."""
    path, page = list_page.path, list_page.page

    @pages.before_request
    def protect() -> None:
        """Require a CSRF token in every form."""
        auth.csrf.protect()

    @pages.get(f"{path}/import")
    @login_required
    @auth.configures
    def upload() -> str:
        """The form to upload a file."""
        return render_template(f"{page}/import.html")

    @pages.post(f"{path}/import")
    @accepts(sheet_upload.BODY)
    @login_required
    @auth.configures
    def take() -> Any:
        """Show what a file would change; in a second step, apply it, all or nothing."""
        return sheet_upload.take_sheet(list_page.sheets, page, value_words=list_page.value_words)

    @pages.get(f"{path}/export.<any(csv, json):shape>")
    @login_required
    def export(shape: str) -> Response:
        """The filtered rows as a file."""
        rows = list_page.sheets.export(list_page.filter().query())
        name = page.replace("_", "-")
        return sheet_upload.sheet_download(name, shape, list_page.facts, rows)


def imported(words: Callable[[int, int], str]) -> ListNotice | None:
    """The notice after an import; ``words`` makes its text from the new and changed counts."""
    done = sheet_upload.imported()
    return ListNotice(words(*done)) if done else None


def removed(pattern: str, undo: str, fields: Iterable[tuple[str, Any]]) -> ListNotice:
    """The notice after a removal."""
    short = pattern if len(pattern) <= 40 else f"{pattern[:37]}..."
    words = Markup('Removed <code dir="auto">{}</code>').format(short)
    return ListNotice(words, undo, fields)
