"""Rules: the list, the editor with its trial, versions, and rules as a file."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_login import login_required

from models.errors import Conflict, Invalid, SluiceError
from models.rules import dry_run, import_export
from models.rules import listing as rule_list
from models.rules.listing import Filter
from models.rules.rule import ACTIONS, FACTS, KINDS, Rule
from models.submissions import finding_counts
from models.verdict import LABELS
from webapp.console.shared import list_filter, sheet_upload
from webapp.http import fragments
from webapp.http.offload import offload
from webapp.signin import auth

ROWS = 60
CHOICES = {
    "kind": KINDS,
    "action": ACTIONS,
    "label": LABELS,
    "state": rule_list.STATES,
    "source": rule_list.SOURCES,
}
SOURCE_WORDS = {"starter": "Starter list", "import": "Imported", "moderator": "Made here"}
BY_MACHINE = ("unreadable", "known", "error")  # labels that no rule needs

pages = Blueprint("rules", __name__, url_prefix="/console/rules")


@pages.before_request
def protect() -> None:
    """No form without its token; an import may be larger than other forms."""
    sheet_upload.allow_more()
    auth.csrf.protect()


@pages.get("")
@login_required
def show() -> str:
    """The rules that are wanted, latest change first."""
    if fragments.wanted():
        part = "rules/_rows.html" if request.args.get("after") else "rules/_list.html"
        return render_template(part, **_listed())
    return render_template("rules/page.html", done=_done(), **_listed())


@pages.post("/switch")
@login_required
@auth.configures
def switch_many() -> Any:
    """Switch the selected rules on or off."""
    active = request.form.get("active") == "1"
    chosen = [int(text) for text in request.form.getlist("rule") if text.isdigit()]
    if not chosen:
        raise Invalid("Select some rules first.")
    changed = Rule.switch(chosen, auth.moderator().id, active=active)
    done = {"switched": changed, "active": active}
    if fragments.wanted():
        return render_template("rules/_switched.html", done=done, **_listed())
    ids = ",".join(str(number) for number in changed)
    state = "on" if active else "off"
    return redirect(url_for("rules.show", switched=ids, to=state, **_kept()), 303)


@pages.post("/<int:rule_id>/switch")
@login_required
@auth.configures
def switch(rule_id: int) -> Any:
    """Switch one rule on or off."""
    Rule.found(rule_id)
    Rule.switch([rule_id], auth.moderator().id, active=request.form.get("to") == "1")
    return _row(rule_id)


@pages.post("/<int:rule_id>/remove")
@login_required
@auth.configures
def remove(rule_id: int) -> Any:
    """Remove a rule; its row stays for the way back."""
    Rule.remove(rule_id, auth.moderator().id)
    return _row(rule_id, removed=rule_id)


@pages.post("/<int:rule_id>/restore")
@login_required
@auth.configures
def restore(rule_id: int) -> Any:
    """Bring a removed rule back."""
    Rule.restore(rule_id, auth.moderator().id)
    return _row(rule_id)


@pages.get("/new")
@login_required
@auth.configures
def new() -> str:
    """The editor for a rule that is not there yet; a link may bring its fields."""
    return _editor(None, {"action": "review", "label": "other", "kind": "word", **request.args})


@pages.post("")
@login_required
@auth.configures
def add() -> Any:
    """Add a rule."""
    try:
        rule = Rule.add(*_fields(), moderator_id=auth.moderator().id)
    except SluiceError as error:
        return _refused(None, error)
    return redirect(url_for("rules.edit", rule_id=rule.id, saved=1), 303)


@pages.get("/<int:rule_id>")
@login_required
def edit(rule_id: int) -> str:
    """One rule: its editor, what it would hit, and its versions."""
    rule = Rule.found(rule_id)
    return _editor(rule, rule.facts)


@pages.post("/<int:rule_id>")
@login_required
@auth.configures
def change(rule_id: int) -> Any:
    """Change a rule, as the person saw it."""
    rule = Rule.found(rule_id)
    wanted = dict(zip(FACTS, _fields(), strict=False))
    try:
        Rule.change(rule_id, auth.moderator().id, seen=request.form.get("seen", ""), **wanted)
    except SluiceError as error:
        return _refused(rule, error)
    return redirect(url_for("rules.edit", rule_id=rule_id, saved=1), 303)


@pages.post("/<int:rule_id>/version")
@login_required
@auth.configures
def go_back(rule_id: int) -> Any:
    """Make a rule what it was in an earlier version."""
    rule = Rule.found(rule_id)
    try:
        rule_list.go_back(rule, request.form.get("version", ""), auth.moderator().id)
    except Conflict as error:
        return _refused(rule, error, rule.facts)
    return redirect(url_for("rules.edit", rule_id=rule_id, saved=1), 303)


@pages.post("/try")
@login_required
def attempt() -> Any:
    """What the rule would hit: a fragment while typing, or the whole editor."""
    if fragments.wanted():
        return render_template("rules/_trial.html", **_trial(request.form))
    number = request.form.get("id", "")
    rule = Rule.found(int(number)) if number.isdigit() else None
    return _editor(rule, request.form)


@pages.get("/import")
@login_required
@auth.configures
def upload() -> str:
    """The form that takes a file."""
    return render_template("rules/import.html")


@pages.post("/import")
@login_required
@auth.configures
def take() -> Any:
    """Show what a file would change; then, in a second step, do it, all or nothing."""
    return sheet_upload.take_sheet(import_export, "rules")


@pages.get("/export.<any(csv, json):shape>")
@login_required
def export(shape: str) -> Response:
    """The wanted rules as a file."""
    rows = import_export.export(_filter().query())
    return sheet_upload.sheet_reply("rules", shape, FACTS, rows)


def _listed() -> dict[str, Any]:
    wanted, after = _filter(), request.args.get("after", "")
    rows = rule_list.page(wanted, ROWS + 1, int(after) if after.isdigit() else None)
    total, on = rule_list.counts(wanted)
    return {
        "rows": rows[:ROWS],
        "more": len(rows) > ROWS,
        "hits": finding_counts.of_rules([rule.id for rule in rows[:ROWS]]),
        "most_hits": finding_counts.MOST_HITS,
        "total": total,
        "on": on,
        "wanted": wanted,
        "kept": _kept(),
        "choices": CHOICES,
        "source_words": SOURCE_WORDS,
    }


def _row(rule_id: int, **more: Any) -> Any:
    """The rule's row as it is now; without htmx, the list again."""
    if not fragments.wanted():
        return redirect(url_for("rules.show", **more, **_kept()), 303)
    rule = Rule.found(rule_id)
    values = {
        "rule": rule,
        "hits": finding_counts.of_rules([rule_id]),
        "most_hits": finding_counts.MOST_HITS,
    }
    return render_template("rules/_row.html", source_words=SOURCE_WORDS, kept=_kept(), **values)


def _editor(rule: Rule | None, form: Any, error: SluiceError | None = None) -> str:
    labels = [name for name in LABELS if name not in BY_MACHINE or name == form.get("label")]
    values = {
        "rule": rule,
        "form": form,
        "error": error,
        "versions": rule_list.versions(rule) if rule else [],
        "labels": labels,
        "kinds": KINDS,
        "actions": ACTIONS,
        "saved": "saved" in request.args,
        "source_words": SOURCE_WORDS,
    }
    return render_template("rules/edit.html", **values, **_trial(form))


def _refused(rule: Rule | None, error: SluiceError, form: Any = None) -> Any:
    return _editor(rule, form or request.form, error), 409 if isinstance(error, Conflict) else 422


def _trial(form: Any) -> dict[str, Any]:
    """What the form's rule would hit, or why it is none."""
    kind, pattern, action = (str(form.get(name, "")) for name in FACTS[:3])
    if not pattern.strip():
        return {"trial": None}
    try:
        trial = dry_run.run(kind, pattern, action, form.get("text", ""), apart=offload)
    except Invalid as error:
        return {"trial": None, "wrong": error}
    return {"trial": trial, "shown": dry_run.SHOWN, "action": action}


def _fields() -> tuple[str, str, str, str]:
    kind, pattern, action, label = (request.form.get(name, "") for name in FACTS[:4])
    return kind, pattern, action, label


def _filter() -> Filter:
    return Filter(**list_filter.asked(CHOICES))


def _kept() -> dict[str, Any]:
    """The filter as an address has it."""
    return list_filter.kept(_filter(), CHOICES)


def _done() -> dict[str, Any] | None:
    """What this page follows, for the notice with its undo."""
    if "switched" in request.args:
        ids = list_filter.numbers(request.args["switched"])
        return {"switched": ids, "active": request.args.get("to") == "on"}
    if request.args.get("removed", "").isdigit():
        return {"removed": Rule.get_or_none(Rule.id == int(request.args["removed"]))}
    return sheet_upload.imported()
