"""Clients: policy, webhook and API keys."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.audit.log import Audit
from models.clients import client as clients
from models.clients import listing
from models.clients.client import ApiKey, Client
from models.clients.language_names import LANGUAGES
from models.clients.languages import default_languages, languages_of
from models.database.connection import release, row_id
from models.errors import Invalid, SluiceError
from models.rules.language_switch import language_change
from models.rules.rule_set import languages_with_rules
from models.settings import get_settings
from models.webhooks import endpoint
from tasks.webhooks import resolve
from webapp.console.shared import formatting
from webapp.signin import auth

OVERLAPS = {"0": "at once", "1": "in an hour", "24": "in a day", "168": "in a week"}

pages = Blueprint("clients", __name__, url_prefix="/console/clients")
pages.add_app_template_filter(formatting.is_past)


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("/")
@login_required
def show() -> str:
    """The list of clients."""
    return render_template("clients/page.html", rows=listing.summaries(), settings=get_settings())


@pages.get("/new")
@login_required
@auth.configures
def new() -> str:
    """The form to create a client."""
    return _new({})


@pages.post("/")
@login_required
@auth.configures
def add() -> Any:
    """Create a client and its first key, which is shown only once."""
    form = request.form
    url = form.get("webhook_url", "").strip() or None
    try:
        _check_webhook(url)
        with language_change():
            client = Client.add(
                form.get("name", ""),
                visibility=form.get("visibility", "hold"),
                webhook_url=url,
                publish_unchecked=form.get("publish_unchecked") == "on",
                weight=_weight(),
                languages=_languages(),
                moderator_id=auth.moderator().id,
            )
            key = ApiKey.issue(client)
            Audit.append("client.create", client.name, moderator_id=auth.moderator().id)
    except SluiceError as error:
        return _new({**form.to_dict(), "languages": _languages()}, error=error), 422
    return _shown(client, key=key, secret=client.webhook_secret)


@pages.get("/<int:client_id>")
@login_required
def one(client_id: int) -> str:
    """One client; administrators also get the forms that change it."""
    return _page(Client.find(client_id))


@pages.post("/<int:client_id>")
@login_required
@auth.configures
def change(client_id: int) -> Any:
    """Change name, weight, languages and webhook."""
    client = Client.find(client_id)
    try:
        values = _values()
        if values["webhook_url"] != client.webhook_url:
            _check_webhook(values["webhook_url"])
        with language_change():
            secret = client.change(auth.moderator(), **values)
    except SluiceError as error:
        form = {**request.form.to_dict(), "languages": _languages()}
        return _page(client, error=error, form=form), 422
    if secret:
        return _shown(Client.find(client_id), secret=secret)
    return redirect(url_for("clients.one", client_id=client_id, saved=1), 303)


@pages.post("/<int:client_id>/webhook-secret")
@login_required
@auth.configures
def rotate_secret(client_id: int) -> Any:
    """Create a new webhook secret, which is shown only once."""
    client = Client.find(client_id)
    act = endpoint.rotate_secret
    return _acted(client, lambda: _shown(client, secret=act(client, auth.moderator())))


@pages.post("/<int:client_id>/webhook-test")
@login_required
@auth.configures
def test_webhook(client_id: int) -> Any:
    """Send a test event."""
    client = Client.find(client_id)

    def act() -> Any:
        made = endpoint.test(client, auth.moderator())
        return redirect(url_for("deliveries.one", delivery_id=made, sent=1), 303)

    return _acted(client, act)


@pages.post("/<int:client_id>/webhook-enabling")
@login_required
@auth.configures
def enable_webhook(client_id: int) -> Any:
    """Switch the webhook on again and send the pending deliveries."""
    client = Client.find(client_id)

    def act() -> Any:
        endpoint.enable(client, auth.moderator())
        return redirect(url_for("clients.one", client_id=client_id, saved=1), 303)

    return _acted(client, act)


@pages.post("/<int:client_id>/keys")
@login_required
@auth.configures
def issue(client_id: int) -> Any:
    """Create an additional key, or rotate the keys; the new key is shown only once."""
    client = Client.find(client_id)
    overlap = request.form.get("hours")
    if overlap is None:
        return _shown(client, key=ApiKey.add(client, auth.moderator()))
    if overlap not in OVERLAPS:
        raise Invalid("Choose when the old keys expire.", field="hours")
    return _shown(client, key=ApiKey.rotate(client, float(overlap), auth.moderator()))


@pages.post("/<int:client_id>/keys/<int:key_id>/revocation")
@login_required
@auth.configures
def revoke(client_id: int, key_id: int) -> Any:
    """Revoke a key."""
    client = Client.find(client_id)
    ApiKey.revoke_one(client, key_id, auth.moderator())
    return redirect(url_for("clients.one", client_id=client_id) + "#keys", 303)


@pages.post("/<int:client_id>/suspension")
@login_required
@auth.configures
def suspend(client_id: int) -> Any:
    """Suspend a client, so that its keys are refused, or resume it."""
    client = Client.find(client_id)
    act = client.suspend if request.form.get("suspended") == "1" else client.resume
    act(auth.moderator())
    return redirect(url_for("clients.one", client_id=client_id), 303)


def _acted(client: Client, act: Callable[[], Any]) -> Any:
    try:
        return act()
    except SluiceError as error:
        return _page(client, error=error), 409


def _page(client: Client, **more: Any) -> str:
    values = {
        "client": client,
        "keys": ApiKey.held_by(client),
        "settings": get_settings(),
        "policy": client.policy(),
        "overlaps": OVERLAPS,
        "form": {name: getattr(client, name) for name in clients.CHANGEABLE},
        "used_languages": [LANGUAGES[code] for code in languages_of(client)],
        **_language_values(client.languages or ()),
        **more,
    }
    return render_template("clients/one.html", **values)


def _new(form: dict[str, Any], **more: Any) -> str:
    return render_template("clients/new.html", form=form, **_language_values(), **more)


def _language_values(selected: Collection[str] = ()) -> dict[str, Any]:
    """The choice of languages: those with rules, and those that are selected already."""
    defaults = default_languages()
    codes = {*languages_with_rules(), *defaults, *selected}
    return {
        "languages": sorted(((code, LANGUAGES[code]) for code in codes), key=lambda one: one[1]),
        "default_codes": defaults,
        "default_languages": [LANGUAGES[code] for code in defaults],
    }


def _shown(client: Client, key: str | None = None, secret: str | None = None) -> str:
    """The page with a new key or secret, which is shown only once."""
    values = {"client": client, "key": key, "secret": secret, "url": get_settings().url}
    return render_template("clients/shown.html", **values)


def _values() -> dict[str, Any]:
    form = request.form
    values: dict[str, Any] = {"name": form.get("name", "").strip()}
    values["weight"] = _weight()
    values["languages"] = _languages()
    values["webhook_url"] = form.get("webhook_url", "").strip() or None
    return values


def _weight() -> int:
    """The client's weight; 0, which is refused, if it is no number."""
    return row_id(request.form.get("weight", "1").strip()) or 0


def _languages() -> list[str] | None:
    """The selected languages; None for the server's default."""
    if request.form.get("languages_from") != "own":
        return None
    return sorted(set(request.form.getlist("languages")))


def _check_webhook(url: str | None) -> None:
    """Raises Invalid if the URL cannot be called. Queries DNS, so releases the connection first."""
    if url:
        release()
        resolve.check_webhook(url, get_settings())
