"""Rules: the list, the editor with its dry run, versions, import and export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.clients.languages import languages_in_use
from models.database.connection import row_id
from models.errors import Conflict, Invalid, SluiceError
from models.labels.label_index import NO_LABEL, labels
from models.rules import dry_run, import_export
from models.rules import listing as rule_list
from models.rules.dry_run import Draft
from models.rules.rule import ACTIONS, KINDS, Rule
from models.rules.rule_set import own_name
from models.rules.starter_list import waiting
from models.rules.text_check import broken
from models.submissions import finding_counts
from webapp.console.rules import languages, lists
from webapp.console.rules.languages import LANGUAGE_WORDS
from webapp.console.rules.lists import ListNotice, ListPage
from webapp.console.shared import list_filter
from webapp.console.shared.formatting import many
from webapp.http import fragments
from webapp.http.offload import offload
from webapp.signin import auth

SOURCE_WORDS = {"starter": "Starter list", "import": "Imported", "moderator": "Created here"}
TRIED = ("kind", "pattern", "action", "language")  # fields of the editor that the dry run needs
LIST = ListPage(
    page="rules",
    path="",
    listing=rule_list,
    filter_type=rule_list.RuleFilter,
    sheets=import_export,
    facts=import_export.EXPORTED,
    fixed_choices={
        "kind": KINDS,
        "action": ACTIONS,
        "state": rule_list.STATES,
        "source": rule_list.SOURCES,
        "language": tuple(LANGUAGE_WORDS),
    },
    any_words={
        "kind": "Any kind",
        "action": "Any action",
        "label": "Any label",
        "state": "On and off",
        "source": "Any source",
        "language": "Any language",
    },
    title="Rules",
    singular="rule",
    plural="rules",
    list_id="rules",
    search_label="Search patterns",
    search_hint="Search patterns",
    picture="filter",
    more_words="More rules",
    value_words={**SOURCE_WORDS, **LANGUAGE_WORDS},
    new="rules.new",
)

pages = Blueprint("rules", __name__, url_prefix="/console/rules")
lists.add_sheet_pages(pages, LIST)


@pages.get("")
@login_required
def show() -> str:
    """The rules of the filter, latest change first."""
    panel = {} if fragments.is_requested() else languages.panel()
    return render_template(LIST.template(), done=_done(), **_listed(), **panel)


@pages.post("/switch")
@login_required
@auth.configures
def switch_many() -> Any:
    """Switch the selected rules on or off."""
    active = request.form.get("active") == "1"
    chosen = list_filter.row_ids(request.form.getlist("rule"))
    if not chosen:
        raise Invalid("Select at least one rule.")
    changed = Rule.switch(chosen, auth.moderator().id, active=active)
    if fragments.is_requested():
        done = _switched(changed, active=active)
        return render_template("rules/_switched.html", done=done, **_listed())
    ids = ",".join(str(number) for number in changed)
    state = "on" if active else "off"
    return redirect(LIST.address(switched=ids, to=state), 303)


@pages.post("/<int:rule_id>/switch")
@login_required
@auth.configures
def switch(rule_id: int) -> Any:
    """Switch one rule on or off."""
    Rule.find(rule_id)
    Rule.switch([rule_id], auth.moderator().id, active=request.form.get("to") == "1")
    return _row(rule_id)


@pages.post("/<int:rule_id>/remove")
@login_required
@auth.configures
def remove(rule_id: int) -> Any:
    """Remove a rule; its row stays, so that it can be restored."""
    Rule.remove(rule_id, auth.moderator().id)
    return _row(rule_id, removed=rule_id)


@pages.post("/<int:rule_id>/restore")
@login_required
@auth.configures
def restore(rule_id: int) -> Any:
    """Restore a removed rule."""
    Rule.restore(rule_id, auth.moderator().id)
    return _row(rule_id)


@pages.get("/new")
@login_required
@auth.configures
def new() -> str:
    """The editor for a new rule; the URL may set its fields."""
    return _editor(None, {"action": "review", "label": NO_LABEL, "kind": "word", **request.args})


@pages.post("")
@login_required
@auth.configures
def add() -> Any:
    """Add a rule."""
    try:
        rule = Rule.add(
            *_fields().values(),
            ignore_accents=_is_on(request.form, "ignore_accents"),
            inflections=_is_on(request.form, "inflections"),
            language=request.form.get("language", ""),
            moderator_id=auth.moderator().id,
        )
    except SluiceError as error:
        return _refused(None, error)
    return redirect(url_for("rules.edit", rule_id=rule.id, saved=1), 303)


@pages.get("/<int:rule_id>")
@login_required
def edit(rule_id: int) -> str:
    """One rule: the editor, the dry run and the versions."""
    rule = Rule.find(rule_id)
    return _editor(rule, _form_of(rule))


@pages.post("/<int:rule_id>")
@login_required
@auth.configures
def change(rule_id: int) -> Any:
    """Change a rule; refused if it changed after the editor was opened."""
    rule = Rule.find(rule_id)
    changes = _fields() | {name: _is_on(request.form, name) for name in import_export.SWITCHES}
    language = request.form.get("language", rule.rule_set.language)
    try:
        if language != rule.rule_set.language:
            changes["rule_set"] = own_name(language)
        Rule.change(rule_id, auth.moderator().id, seen=request.form.get("seen", ""), **changes)
    except SluiceError as error:
        return _refused(rule, error)
    return redirect(url_for("rules.edit", rule_id=rule_id, saved=1), 303)


@pages.post("/<int:rule_id>/version")
@login_required
@auth.configures
def go_back(rule_id: int) -> Any:
    """Revert a rule to an earlier version."""
    rule = Rule.find(rule_id)
    try:
        rule_list.go_back(rule, request.form.get("version", ""), auth.moderator().id)
    except Conflict as error:
        return _refused(rule, error, _form_of(rule))
    return redirect(url_for("rules.edit", rule_id=rule_id, saved=1), 303)


@pages.post("/try")
@login_required
def attempt() -> Any:
    """The dry run of the rule: a fragment while typing, or the whole editor."""
    if fragments.is_requested():
        return render_template("rules/_trial.html", **_trial(request.form))
    number = row_id(request.form.get("id", ""))
    return _editor(None if number is None else Rule.find(number), request.form)


def _listed() -> dict[str, Any]:
    listed = LIST.listed()
    in_use = languages_in_use()
    total, on, applied = rule_list.counts(listed["chosen"], in_use)
    hits = finding_counts.of_rules([rule.id for rule in listed["rows"]])
    values = {"hits": hits, "total": total, "on": on, "applied": applied}
    return {**listed, **values, **_row_values(in_use)}


def _row_values(in_use: set[str]) -> dict[str, Any]:
    """What every row of the list needs."""
    return {
        "broken": broken.get().reasons,
        "source_words": SOURCE_WORDS,
        "language_words": LANGUAGE_WORDS,
        "languages_in_use": in_use,
        "waiting": waiting(),
    }


def _row(rule_id: int, **more: Any) -> Any:
    """The current row of the rule; without htmx, a redirect to the list."""
    if not fragments.is_requested():
        return redirect(LIST.address(**more), 303)
    values = {
        "row": Rule.find(rule_id),
        "hits": finding_counts.of_rules([rule_id]),
        "most_hits": finding_counts.MOST_HITS,
    }
    return render_template("rules/_row.html", **values, **_row_values(languages_in_use()))


def _editor(rule: Rule | None, form: Any, error: SluiceError | None = None) -> str:
    values = {
        "rule": rule,
        "form": form,
        "error": error,
        "versions": rule_list.versions(rule) if rule else [],
        "labels": labels.get().choices(form.get("label", "")),
        "kinds": KINDS,
        "actions": ACTIONS,
        "languages": languages.CHOICES,
        "saved": "saved" in request.args,
        "source_words": SOURCE_WORDS,
    }
    return render_template("rules/edit.html", **values, **_trial(form))


def _refused(rule: Rule | None, error: SluiceError, form: Any = None) -> Any:
    return _editor(rule, form or request.form, error), 409 if isinstance(error, Conflict) else 422


def _trial(form: Any) -> dict[str, Any]:
    """The dry run of the rule in the form, or the error if it is not valid."""
    kind, pattern, action, language = (str(form.get(name, "")) for name in TRIED)
    if not pattern.strip():
        return {"trial": None}
    switches = {name: _is_on(form, name) for name in import_export.SWITCHES}
    draft = Draft(kind, pattern, action, language, **switches)
    try:
        trial = dry_run.run(draft, form.get("text", ""), run_in_thread=offload)
    except Invalid as error:
        return {"trial": None, "wrong": error}
    return {"trial": trial, "shown": dry_run.SHOWN, "action": action, "draft": draft}


def _form_of(rule: Rule) -> dict[str, Any]:
    """The values of the editor for a stored rule."""
    return {**rule.facts, "language": rule.rule_set.language}


def _fields() -> dict[str, Any]:
    return {name: request.form.get(name, "") for name in import_export.COLUMNS}


def _is_on(form: Any, name: str) -> bool:
    """Whether a checkbox of the form is checked."""
    return form.get(name) in (True, "on", "1")


def _done() -> ListNotice | None:
    """The action that redirected to this page, for the notice with its undo button."""
    if "switched" in request.args:
        ids = list_filter.numbers(request.args["switched"])
        return _switched(ids, active=request.args.get("to") == "on")
    rule = Rule.get_or_none(Rule.id == row_id(request.args.get("removed", "")))
    if rule is not None and rule.removed_at:
        undo = url_for("rules.restore", rule_id=rule.id)
        return lists.removed(rule.pattern, undo, LIST.kept_fields())
    return lists.imported(
        lambda added, changed: f"Imported: {many(added, 'rule')} added, {changed:,} changed"
    )


def _switched(ids: Sequence[int], *, active: bool) -> ListNotice:
    words = f"{many(len(ids), 'rule')} switched {'on' if active else 'off'}"
    if not ids:
        return ListNotice(words)
    back = [*LIST.kept_fields(), ("active", int(not active)), *(("rule", one) for one in ids)]
    return ListNotice(words, url_for("rules.switch_many"), back)
