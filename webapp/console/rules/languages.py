"""Languages of rules: which clients use them, each switched with one click."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.clients.client import Client
from models.clients.language_names import LANGUAGES
from models.clients.languages import language_uses, languages_of
from models.rules.language_switch import switch_language
from models.rules.listing import EVERY_LANGUAGE, active_by_language
from webapp.console.shared import list_filter
from webapp.http import fragments
from webapp.signin import auth

LANGUAGE_WORDS = {
    EVERY_LANGUAGE: "Every language",
    **dict(sorted(LANGUAGES.items(), key=lambda item: item[1])),
}
CHOICES = [("" if code == EVERY_LANGUAGE else code, name) for code, name in LANGUAGE_WORDS.items()]

pages = Blueprint("languages", __name__, url_prefix="/console/rules/languages")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("")
@login_required
def show() -> str:
    """The languages that have rules, for all clients or for the client of the query."""
    return _page(list_filter.client(request.args.get("client", "")))


@pages.post("/<language>")
@login_required
@auth.configures
def switch(language: str) -> Any:
    """Switch a language on or off, for all clients or for one."""
    client = list_filter.client(request.form.get("client", ""))
    switch_language(
        language,
        on=request.form.get("to") == "1",
        client_id=client.id if client else None,
        moderator_id=auth.moderator().id,
    )
    if fragments.is_requested():
        return _page(Client.find(client.id) if client else None)
    return redirect(url_for("languages.show", client=client.id if client else None), 303)


def panel(client: Client | None = None) -> dict[str, Any]:
    """The values of the panel; ``used`` are the languages of the client, or the default ones."""
    counts = active_by_language()
    uses = language_uses(code for code in counts if code)
    defaults = {use.language for use in uses if use.is_default}
    used = set(languages_of(client)) if client else defaults
    return {
        "client": client,
        "clients": list(Client.select(Client.id, Client.name).order_by(Client.name)),
        "uses": sorted(uses, key=lambda use: (use.language not in used, not use.clients)),
        "used": used,
        "counts": counts,
        "in_use": [use.name for use in uses if use.clients or use.is_default],
    }


def _page(client: Client | None) -> str:
    if fragments.is_requested():
        return render_template("rules/_languages.html", **panel(client))
    return render_template("rules/languages.html", **panel(client))
