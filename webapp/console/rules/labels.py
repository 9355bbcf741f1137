"""Labels: the list with its order, and the form that adds or changes one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.errors import Conflict, SluiceError
from models.labels.label import (
    CATEGORIES,
    CHANGEABLE,
    KEYS,
    LONGEST,
    NEEDED,
    OTHER,
    Label,
)
from models.labels.uses import Uses, uses
from webapp.console.review.claimed import number
from webapp.signin import auth

pages = Blueprint("labels", __name__, url_prefix="/console/labels")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("")
@login_required
def show() -> str:
    """All labels: those that people choose in their order, the machine's, the retired ones."""
    return _list()


@pages.get("/new")
@login_required
@auth.configures
def new() -> str:
    """The form for a new label."""
    return _editor(None, {"category": OTHER})


@pages.post("")
@login_required
@auth.configures
def add() -> Any:
    """Add a label behind the others."""
    name = request.form.get("name", "").strip()
    try:
        row = Label.add(name, auth.moderator().id, **_facts())
    except SluiceError as error:
        return _editor(None, request.form, error), _status(error)
    return redirect(url_for("labels.show", saved=row.name), 303)


@pages.get("/<name>")
@login_required
def edit(name: str) -> str:
    """One label: its texts, category and uses."""
    row = Label.find(name)
    return _editor(row, row.facts)


@pages.post("/<name>")
@login_required
@auth.configures
def change(name: str) -> Any:
    """Change a label; refused if it changed after the form was opened."""
    row = Label.find(name)
    seen = request.form.get("seen", "")
    try:
        Label.change(name, auth.moderator().id, seen=seen, **_facts())
    except SluiceError as error:
        return _editor(row, request.form, error), _status(error)
    return redirect(url_for("labels.show", saved=name), 303)


@pages.post("/<name>/place")
@login_required
@auth.configures
def move(name: str) -> Any:
    """Give a label another place in the order; the first nine have the keys 1 to 9."""
    return _acted(name, lambda who: Label.move(name, number("place"), who))


@pages.post("/<name>/retire")
@login_required
@auth.configures
def retire(name: str) -> Any:
    """No longer offer a label."""
    return _acted(name, lambda who: Label.retire(name, who))


@pages.post("/<name>/restore")
@login_required
@auth.configures
def restore(name: str) -> Any:
    """Offer a retired label again."""
    return _acted(name, lambda who: Label.restore(name, who))


def _acted(name: str, act: Any) -> Any:
    """Do it; back to the list at the label, or the list with the reason why it was refused."""
    try:
        act(auth.moderator().id)
    except SluiceError as error:
        return _list(error), _status(error)
    return redirect(url_for("labels.show", _anchor=f"label-{name}"), 303)


def _facts() -> dict[str, Any]:
    """The values of the form; an unchecked box is not sent."""
    form = request.form
    return {**{name: form.get(name, "") for name in CHANGEABLE}, "graphic": "graphic" in form}


def _list(error: SluiceError | None = None) -> str:
    rows = Label.ordered()
    return render_template(
        "labels/page.html",
        offered=[row for row in rows if row.is_offered],
        machine=[row for row in rows if row.by_machine],
        retired=[row for row in rows if row.retired_at is not None],
        uses=uses(),
        none=Uses(),
        categories=CATEGORIES,
        keys=KEYS,
        needed=NEEDED,
        saved=request.args.get("saved", ""),
        error=error,
    )


def _editor(row: Label | None, form: Any, error: SluiceError | None = None) -> str:
    return render_template(
        "labels/edit.html",
        row=row,
        form=form,
        error=error,
        uses=uses().get(row.name, Uses()) if row else Uses(),
        categories=list(CATEGORIES.items()),
        longest=LONGEST,
    )


def _status(error: SluiceError) -> int:
    return 409 if isinstance(error, Conflict) else 422
