"""What the pages of rules and of known images have in common: list, filter, import, export, notice.

Each of the two says in a ``ListPage`` how it differs; the templates in templates/rules/ show both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_login import login_required
from markupsafe import Markup

from models.submissions import finding_counts
from models.verdict import LABELS
from webapp.console.shared import list_filter, sheet_upload
from webapp.http import fragments
from webapp.signin import auth

ROWS = 60
BY_MACHINE = ("unreadable", "known", "error")  # labels that nobody gives by hand


@dataclass(frozen=True, slots=True)
class ListPage:
    """One of the two lists: its blueprint, its models and its words."""

    page: str  # name of the blueprint, and folder of the templates of its own
    path: str  # below the blueprint's prefix
    listing: ModuleType  # of models: page()
    filter_type: Callable[..., Any]  # of models: RuleFilter or KnownHashFilter
    sheets: ModuleType  # of models: plan(), load() and export()
    facts: tuple[str, ...]  # columns of an export
    choices: Mapping[str, Collection[str]]  # values of each filter
    any_words: Mapping[str, str]  # what a filter says that is not set, in the form's order
    title: str
    singular: str
    plural: str
    list_id: str  # of the element that htmx replaces
    search_label: str
    search_hint: str
    picture: str  # icon of the empty list
    more_words: str
    value_words: Mapping[str, str] = field(default_factory=dict)  # of values that are no label
    new: str = ""  # endpoint that makes one out of what was searched for

    def wanted(self) -> Any:
        """The filter that the request asks for."""
        return self.filter_type(**list_filter.asked(self.choices))

    def kept(self) -> dict[str, Any]:
        """The filter as an address has it."""
        return list_filter.kept(self.wanted(), self.choices)

    def kept_fields(self) -> list[tuple[str, Any]]:
        """The filter as the hidden fields of a form have it."""
        return [(f"filter-{name}", value) for name, value in self.kept().items()]

    def address(self, **more: Any) -> str:
        """The address of the list as it is filtered now."""
        return url_for(f"{self.page}.show", **more, **self.kept())

    def listed(self) -> dict[str, Any]:
        """What every template of the list reads: one page of rows and the filter."""
        wanted, after = self.wanted(), request.args.get("after", "")
        rows = self.listing.page(wanted, ROWS + 1, int(after) if after.isdigit() else None)
        return {
            "list_page": self,
            "rows": rows[:ROWS],
            "more": len(rows) > ROWS,
            "most_hits": finding_counts.MOST_HITS,
            "wanted": wanted,
            "kept": self.kept(),
        }

    def template(self) -> str:
        """The template that a request for the list gets: the page, the list, or its next rows."""
        if not fragments.wanted():
            return f"{self.page}/page.html"
        return "rules/_rows.html" if request.args.get("after") else "rules/_list.html"


@dataclass(frozen=True, slots=True)
class ListNotice:
    """What was done, at the foot of the page, and the form that takes it back."""

    words: str
    undo: str = ""  # address
    fields: Iterable[tuple[str, Any]] = ()
    is_fragment: bool = False  # the undo leaves the page as it is


def add_sheet_pages(pages: Blueprint, list_page: ListPage) -> None:
    """Add the import in its two steps, and the export of what the filter shows."""
    path, page = list_page.path, list_page.page

    @pages.before_request
    def protect() -> None:
        """No form without its token; an import may be larger than other forms."""
        sheet_upload.allow_more()
        auth.csrf.protect()

    @pages.get(f"{path}/import")
    @login_required
    @auth.configures
    def upload() -> str:
        """The form that takes a file."""
        return render_template(f"{page}/import.html")

    @pages.post(f"{path}/import")
    @login_required
    @auth.configures
    def take() -> Any:
        """Show what a file would change; then, in a second step, do it, all or nothing."""
        return sheet_upload.take_sheet(list_page.sheets, page, value_words=list_page.value_words)

    @pages.get(f"{path}/export.<any(csv, json):shape>")
    @login_required
    def export(shape: str) -> Response:
        """The wanted rows as a file."""
        rows = list_page.sheets.export(list_page.wanted().query())
        name = page.replace("_", "-")
        return sheet_upload.sheet_reply(name, shape, list_page.facts, rows)


def labels(chosen: str = "") -> list[str]:
    """The labels that a person can give, and the one that is given."""
    return [name for name in LABELS if name not in BY_MACHINE or name == chosen]


def imported(words: Callable[[int, int], str]) -> ListNotice | None:
    """The notice of the import that this page follows; ``words`` of the new and the changed."""
    done = sheet_upload.imported()
    return ListNotice(words(*done)) if done else None


def removed(pattern: str, undo: str, fields: Iterable[tuple[str, Any]]) -> ListNotice:
    """The notice of a removal."""
    short = pattern if len(pattern) <= 40 else f"{pattern[:37]}..."
    words = Markup('Removed <code dir="auto">{}</code>').format(short)
    return ListNotice(words, undo, fields)
