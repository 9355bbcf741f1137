"""Signing in and out, and the one-time link that makes an account."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_login import current_user, login_required

from models.audit import Audit
from models.client import ApiKey, Client
from models.db import db
from models.errors import NotFound, SluiceError, TooMany, Unauthorised
from models.moderator import Invite, Moderator, has_administrator
from webapp import auth, passwords

pages = Blueprint("signing", __name__, url_prefix="/console")


@pages.before_request
def protect() -> None:
    """No form without its token."""
    auth.csrf.protect()


@pages.get("/sign-in")
def sign_in() -> Any:
    """The sign-in form."""
    if current_user.is_authenticated:
        return redirect(auth.safe_next(request.args.get("next")))
    return _sign_in_form()


@pages.post("/sign-in")
def sign_in_now() -> Any:
    """Sign in and go where the browser wanted to go."""
    try:
        auth.sign_in(request.form.get("name", ""), request.form.get("password", ""))
    except (Unauthorised, TooMany) as error:
        return _sign_in_form(error), 429 if isinstance(error, TooMany) else 401
    return redirect(auth.safe_next(request.form.get("next")), 303)


@pages.post("/sign-out")
def sign_out() -> Any:
    """End the session, on the server too."""
    auth.end()
    return redirect(url_for("signing.sign_in"), 303)


@pages.get("/setup/<token>")
def setup(token: str) -> Any:
    """The form that makes an account of the link's role."""
    try:
        return _setup_form(Invite.valid(token), token)
    except NotFound:
        return _link_is_over()


@pages.post("/setup/<token>")
def set_up(token: str) -> Any:
    """Use the link up, make the account and sign it in."""
    name = request.form.get("name", "")
    try:
        invite = Invite.valid(token)
        password_hash = passwords.hashed(request.form.get("password", ""), name)
        row = _make_account(token, name, password_hash)
    except NotFound:
        return _link_is_over()
    except SluiceError as error:
        return _setup_form(invite, token, error), 422
    auth.start(row)
    first = row.can_configure and not Client.select().exists()
    return redirect(url_for("signing.first_client" if first else "dashboard.show"), 303)


def _make_account(token: str, name: str, password_hash: str) -> Moderator:
    with db.atomic():
        row = Moderator.add(name, Invite.use(token), password_hash)
        Audit.append("add_moderator", row.name, moderator_id=row.id, role=row.role)
    return row


@pages.get("/first-client")
@login_required
@auth.configures
def first_client() -> str:
    """The form that makes the first client and its key."""
    return render_template("signing/first_client.html", form={"name": "My site"})


@pages.post("/first-client")
@login_required
@auth.configures
def make_first_client() -> Any:
    """Make the client and show its key, this once."""
    try:
        with db.atomic():
            client = Client.add(request.form.get("name", ""))
            key = ApiKey.issue(client)
            Audit.append("add_client", client.name, moderator_id=auth.moderator().id)
    except SluiceError as error:
        return render_template("signing/first_client.html", form=request.form, error=error), 422
    values = {"client": client, "key": key, "url": current_app.config["SETTINGS"].url}
    return render_template("signing/first_key.html", **values)


def _sign_in_form(error: SluiceError | None = None) -> str:
    target = request.values.get("next", "")
    return render_template("signing/sign_in.html", form=request.form, error=error, next=target)


def _link_is_over() -> Any:
    return render_template("signing/link_is_over.html", first=not has_administrator()), 404


def _setup_form(invite: Invite, token: str, error: SluiceError | None = None) -> str:
    values = {"invite": invite, "token": token, "error": error, "form": request.form}
    return render_template("signing/setup.html", **values)
