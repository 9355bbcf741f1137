"""The moderator's own account: password, two-factor, sessions, preferences."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import segno
from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from markupsafe import Markup

from models.accounts import own_account, two_factor
from models.accounts.two_factor import RecoveryCode
from models.errors import Invalid, SluiceError, TooMany, Unauthorised, Unavailable
from models.people import preferences
from models.people.moderator import Moderator, ModeratorSession
from models.people.preferences import Preferences
from models.settings import get_settings
from webapp.signin import auth, passwords

pages = Blueprint("account", __name__, url_prefix="/console/account")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("/")
@login_required
def show() -> str:
    """The account page."""
    return _page()


@pages.post("/password")
@login_required
def change_password() -> Any:
    """Change the password; requires the current one and ends all other sessions."""
    me, form = auth.moderator(), request.form
    try:
        auth.check_password(me, form.get("current", ""))
        password_hash = passwords.hashed(form.get("password", ""), me.name)
    except SluiceError as error:
        return _failed(error, "password")
    own_account.change_password(me, password_hash, current_user.token)
    return redirect(url_for("account.show", done="password"), 303)


@pages.post("/sessions/<int:session_id>/end")
@login_required
def end_session(session_id: int) -> Any:
    """Sign one browser out."""
    own_account.end_session(auth.moderator(), session_id)
    return redirect(url_for("account.show") + "#browsers", 303)


@pages.post("/sessions/end-others")
@login_required
def end_other_sessions() -> Any:
    """End all sessions except this one."""
    own_account.end_other_sessions(auth.moderator(), current_user.token)
    return redirect(url_for("account.show", done="sessions") + "#browsers", 303)


@pages.get("/second-step")
@login_required
def enrol() -> Any:
    """The QR code of a second step that is not confirmed yet."""
    me = auth.moderator()
    if me.has_second_step or not me.totp_secret:
        return redirect(url_for("account.show") + "#second-step")
    return _enrolment(me)


@pages.post("/second-step")
@login_required
def begin() -> Any:
    """Create the secret for the authenticator app; requires the password."""
    me = auth.moderator()
    try:
        auth.check_password(me, request.form.get("current", ""))
        two_factor.begin(me)
    except SluiceError as error:
        return _failed(error, "second_step")
    return redirect(url_for("account.enrol"), 303)


@pages.post("/second-step/confirmation")
@login_required
def confirm() -> Any:
    """Turn the second step on with a first code; shows the recovery codes once."""
    me = auth.moderator()
    try:
        auth.count_code(me)
        codes = two_factor.confirm(me, request.form.get("code", ""), current_user.token)
    except (Invalid, TooMany) as error:
        return _enrolment(me, error), _status(error)
    auth.give_back_code(me)
    return render_template("account/codes.html", codes=codes, first=True)


@pages.post("/second-step/codes")
@login_required
def renew_codes() -> Any:
    """Create new recovery codes; requires the password."""
    me = auth.moderator()
    try:
        auth.check_password(me, request.form.get("current", ""))
        codes = two_factor.renew_codes(me)
    except SluiceError as error:
        return _failed(error, "second_step")
    return render_template("account/codes.html", codes=codes, first=False)


@pages.post("/second-step/off")
@login_required
def turn_off() -> Any:
    """Turn the second step off; requires the password if it was confirmed."""
    me = auth.moderator()
    try:
        if me.has_second_step:
            auth.check_password(me, request.form.get("current", ""))
        two_factor.turn_off(me)
    except SluiceError as error:
        return _failed(error, "second_step")
    return redirect(url_for("account.show", done="off") + "#second-step", 303)


@pages.get("/preferences")
@login_required
def prefer() -> str:
    """The form of the preferences for viewing pictures."""
    return _preferences(Preferences.of(auth.moderator()).stored)


@pages.post("/preferences")
@login_required
def keep_preferences() -> Any:
    """Store the preferences."""
    try:
        own_account.prefer(auth.moderator(), Preferences.read(request.form))
    except Invalid as error:
        return _preferences(request.form, error), 422
    return redirect(url_for("account.prefer", saved=1), 303)


def _page(error: SluiceError | None = None, part: str = "") -> str:
    me = auth.moderator()
    return render_template(
        "account/page.html",
        sessions=ModeratorSession.of(me),
        token_here=current_user.token,
        codes_left=RecoveryCode.count_unused(me),
        browser=browser,
        error=error,
        part=part,
    )


def _failed(error: SluiceError, part: str) -> Any:
    return _page(error, part), _status(error)


def _status(error: SluiceError) -> int:
    status = {TooMany: 429, Unauthorised: 403, Unavailable: 503}
    return next((code for kind, code in status.items() if isinstance(error, kind)), 422)


def _enrolment(me: Moderator, error: SluiceError | None = None) -> str:
    host = urlsplit(get_settings().url).netloc
    address = two_factor.address(me, host)
    drawn = segno.make(address, error="m").svg_inline(
        border=4, svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff"
    )
    secret = str(me.totp_secret)
    return render_template(
        "account/second_step.html",
        address=address,
        secret=" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        picture=Markup(drawn),  # nosec B704
        error=error,
    )


def _preferences(form: Any, error: SluiceError | None = None) -> str:
    values = {"form": form, "choices": preferences.CHOICES, "most": preferences.MAXIMUMS}
    return render_template("account/preferences.html", error=error, **values)


BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("HeadlessChrome", "Chromium"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser(user_agent: str) -> str:
    """The browser and system in a user agent: ``Firefox on Linux``."""
    name = next((word for mark, word in BROWSERS if mark in user_agent), "")
    system = next((word for mark, word in SYSTEMS if mark in user_agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or user_agent[:60] or "Unknown browser"
