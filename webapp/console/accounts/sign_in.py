"""Sign-in, sign-out, and one-time links that create an account or set a password."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_login import current_user, login_required

from models.accounts import own_account
from models.audit.log import Audit
from models.clients.client import ApiKey, Client
from models.database.connection import db
from models.errors import NotFound, SluiceError, TooMany, Unauthorised, Unavailable
from models.people.moderator import Invite, Moderator, PasswordLink, has_administrator
from models.settings import get_settings
from webapp.signin import auth, passwords
from webapp.signin.throttle import throttle

CREDENTIALS = ("name", "password", "code")
STATUS = {Unauthorised: 401, TooMany: 429, Unavailable: 503}

pages = Blueprint("signing", __name__, url_prefix="/console")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.after_request
def hide_token(response: Response) -> Response:
    """Keep the token of a link out of the ``Referer`` of what its page loads, and so out of logs.

    The origin stays: the check of forms over HTTPS needs it.
    """
    if "token" in (request.view_args or {}):
        response.headers["Referrer-Policy"] = "strict-origin"
    return response


@pages.get("/sign-in")
def sign_in() -> Any:
    """The sign-in form."""
    if current_user.is_authenticated:
        return redirect(auth.safe_next(request.args.get("next")))
    return _sign_in_form()


@pages.post("/sign-in")
def sign_in_now() -> Any:
    """Sign in and redirect to the page that was requested first."""
    try:
        signed_in = auth.sign_in(*(request.form.get(name, "") for name in CREDENTIALS))
    except (Unauthorised, TooMany, Unavailable) as error:
        return _sign_in_form(error), *_status(error)
    target = request.form.get("next")
    if not signed_in:
        return redirect(url_for("signing.second_step", next=target or None), 303)
    return redirect(auth.safe_next(target), 303)


@pages.get("/sign-in/second-step")
def second_step() -> Any:
    """The form for the code, shown after the right password."""
    if auth.pending() is None:
        return redirect(url_for("signing.sign_in"))
    return _second_step_form()


@pages.post("/sign-in/second-step")
def take_second_step() -> Any:
    """Sign in with a code from the app or a recovery code."""
    row = auth.pending()
    if row is None:
        return redirect(url_for("signing.sign_in"), 303)
    try:
        auth.take_second_step(row, request.form.get("code", ""))
    except (Unauthorised, TooMany) as error:
        return _second_step_form(error), *_status(error)
    return redirect(auth.safe_next(request.form.get("next")), 303)


@pages.post("/sign-out")
def sign_out() -> Any:
    """End the session in the browser and on the server."""
    auth.end()
    return redirect(url_for("signing.sign_in"), 303)


@pages.get("/setup/<token>")
def setup(token: str) -> Any:
    """The form to create an account with the role of the link."""
    try:
        return _setup_form(Invite.valid(token), token)
    except NotFound:
        return _link_expired()


@pages.post("/setup/<token>")
def set_up(token: str) -> Any:
    """Consume the link, create the account and sign it in."""
    name = request.form.get("name", "")
    try:
        invite = Invite.valid(token)
        password_hash = passwords.hashed(request.form.get("password", ""), name)
        row = _make_account(token, name, password_hash)
    except NotFound:
        return _link_expired()
    except SluiceError as error:
        return _setup_form(invite, token, error), *_status(error)
    auth.start(row)
    first = row.can_configure and not Client.select().exists()
    return redirect(url_for("signing.first_client" if first else "dashboard.show"), 303)


def _make_account(token: str, name: str, password_hash: str) -> Moderator:
    with db.atomic():
        row = Moderator.add(name, Invite.use(token), password_hash)
        Audit.append("moderator.create", row.name, moderator_id=row.id, role=row.role)
    return row


@pages.get("/password/<token>")
def new_password(token: str) -> Any:
    """The form to choose a password after a reset."""
    try:
        return _password_form(PasswordLink.valid(token), token)
    except NotFound:
        return _link_expired()


@pages.post("/password/<token>")
def choose_password(token: str) -> Any:
    """Consume the link, store the password, end every session and redirect to sign-in."""
    try:
        link = PasswordLink.valid(token)
        name = link.moderator.name
        own_account.choose_password(link, passwords.hashed(request.form.get("password", ""), name))
    except NotFound:
        return _link_expired()
    except SluiceError as error:
        return _password_form(link, token, error), *_status(error)
    auth.end()
    throttle().clear(name)
    return redirect(url_for("signing.sign_in", new=1), 303)


@pages.get("/first-client")
@login_required
@auth.configures
def first_client() -> str:
    """The form to create the first client and its key."""
    return render_template("signing/first_client.html", form={"name": "My site"})


@pages.post("/first-client")
@login_required
@auth.configures
def make_first_client() -> Any:
    """Create the client and show its key, once."""
    try:
        with db.atomic():
            client = Client.add(request.form.get("name", ""))
            key = ApiKey.issue(client)
            Audit.append("client.create", client.name, moderator_id=auth.moderator().id)
    except SluiceError as error:
        return render_template("signing/first_client.html", form=request.form, error=error), 422
    values = {"client": client, "key": key, "url": get_settings().url}
    return render_template("signing/first_key.html", **values)


def _status(error: SluiceError) -> tuple[int, dict[str, str]]:
    """The status and the headers of a form that is shown again."""
    code = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
    after = getattr(error, "retry_after", None)
    return code, {} if after is None else {"Retry-After": str(after)}


def _sign_in_form(error: SluiceError | None = None) -> str:
    target = request.values.get("next", "")
    return render_template("signing/sign_in.html", form=request.form, error=error, next=target)


def _second_step_form(error: SluiceError | None = None) -> str:
    target = request.values.get("next", "")
    return render_template("signing/second_step.html", error=error, next=target)


def _password_form(link: PasswordLink, token: str, error: SluiceError | None = None) -> str:
    return render_template("signing/password.html", link=link, link_token=token, error=error)


def _link_expired() -> Any:
    return render_template("signing/link_is_over.html", first=not has_administrator()), 404


def _setup_form(invite: Invite, token: str, error: SluiceError | None = None) -> str:
    values = {"invite": invite, "link_token": token, "error": error, "form": request.form}
    return render_template("signing/setup.html", **values)
