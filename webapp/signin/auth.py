"""Console sessions: sign-in, sign-out and role guards.

Flask's signed cookie holds a random token and ``moderator_session`` holds its digest. So signing
out, or disabling an account, ends the session on the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Request, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect

from models.accounts import two_factor
from models.database.tokens import digest
from models.errors import Unauthorised, Unavailable
from models.people.moderator import Moderator, ModeratorSession
from models.settings import get_settings
from webapp.http import fragments
from webapp.signin import known_browser, passwords
from webapp.signin.throttle import AccountLocked, Key, Throttle, of_account, of_address, throttle

WRONG = "Wrong name or password."
PENDING = "second-step"  # cookie entry: who gave the right password and must still give a code
PENDING_SECONDS = 300

View = TypeVar("View", bound=Callable[..., Any])

csrf = CSRFProtect()
manager = LoginManager()


class Sessions(SecureCookieSessionInterface):
    """Creates no signer for requests without the cookie: no API request has one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """An empty session if there is no cookie to verify."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


class SignedIn(UserMixin):
    """A signed-in moderator; Flask-Login stores the token of the session."""

    def __init__(self, moderator: Moderator, token: str) -> None:
        self.moderator, self.token = moderator, token

    def get_id(self) -> str:
        """The token that the cookie holds."""
        return self.token


def init_app(app: Flask) -> None:
    """Set up cookies, CSRF and Flask-Login; only the console requires a CSRF token."""
    settings = get_settings()
    secure = settings.url.startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME="__Host-sluice" if secure else "sluice",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )
    csrf.init_app(app)
    manager.session_protection = None  # sessions are checked on the server; addresses may change
    manager.init_app(app)
    app.extensions["sign_in_throttle"] = Throttle(settings)
    passwords.prepare()


@manager.user_loader
def load_signed_in(token: str) -> SignedIn | None:
    """The moderator whose session has this token, or None if it has ended."""
    moderator = ModeratorSession.moderator_of(token)
    if moderator is None:
        return None
    ModeratorSession.touch(token)
    return SignedIn(moderator, token)


@manager.unauthorized_handler
def ask_to_sign_in() -> Any:
    """Redirect a page to the sign-in form and back; raise Unauthorised for a fragment."""
    if fragments.is_requested() or request.method != "GET":
        raise Unauthorised("Your session has ended. Sign in again.")
    target = request.full_path.rstrip("?")
    return redirect(url_for("signing.sign_in", next=target if target != "/console/" else None))


def moderator() -> Moderator:
    """The moderator who is signed in."""
    row: Moderator = current_user.moderator
    return row


def decides(view: View) -> View:
    """Guard: only roles that may decide; raises Forbidden for viewers."""
    return _only(view, lambda: moderator().require_decider())


def configures(view: View) -> View:
    """Guard: only administrators; raises Forbidden for others."""
    return _only(view, lambda: moderator().require_administrator())


def _only(view: View, require: Callable[[], None]) -> View:
    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        require()
        return view(*args, **kwargs)

    return checked  # type: ignore[return-value]


def sign_in(name: str, password: str, code: str = "") -> bool:
    """Sign the browser in; False if a second step is required.

    Raises Unauthorised, TooMany, or Unavailable if too many sign-ins wait. An unknown name takes
    the same time and gets the same response as a wrong password. ``code`` counts only while the
    account is locked.
    """
    name = name.replace("\0", "").strip()[:60]
    row = Moderator.named(name)
    keys = _keys(row, name)
    try:
        throttle().count(keys)
    except AccountLocked as locked:
        if not code.strip():
            raise
        return _sign_in_while_locked(row, password, code, locked)
    try:
        right = passwords.matches(row.password_hash if row else None, password)
    except Unavailable:
        throttle().give_back(keys)  # nothing was tried
        raise
    if not right or row is None:
        raise Unauthorised(WRONG, field="password")
    throttle().give_back(keys)
    if row.has_second_step:
        end()
        seal = digest(row.password_hash).hex()
        session[PENDING] = {"id": row.id, "at": int(time.time()), "seal": seal}
        return False
    start(row)
    return True


def _keys(row: Moderator | None, name: str) -> list[Key]:
    """What an attempt counts against: the known browser, or the account and the address."""
    number = known_browser.number_of(row)
    if number is not None:
        return [of_account(f" browser:{number}")]
    return [of_account(name), of_address(request.remote_addr)]


def _sign_in_while_locked(
    row: Moderator | None, password: str, code: str, locked: AccountLocked
) -> bool:
    """Sign in with the password and the code of the second step together; True if both are right.

    Safe against guessing although the account's own attempts are used up:

    1. a wrong password and a wrong code get the same response, in the same time, for unknown names
       and for accounts without a second step too: nothing is learnt about one of the two;
    2. attempts count against the address, and those with a right code against the account.
    """
    throttle().count([of_address(request.remote_addr)])
    right_code = two_factor.verify_or_pretend(row, code)
    if right_code and row is not None:
        throttle().count([of_account(f" locked:{row.id}")])
    right = passwords.matches(row.password_hash if row else None, password)
    if not (right and right_code) or row is None:
        raise locked
    start(row)
    return True


def pending() -> Moderator | None:
    """Who gave the right password in this browser within five minutes and must give a code."""
    entry = session.get(PENDING)
    if not entry or time.time() - entry["at"] > PENDING_SECONDS:
        return None
    row = Moderator.get_or_none(Moderator.id == entry["id"], Moderator.disabled_at.is_null())
    unchanged = row is not None and digest(row.password_hash).hex() == entry["seal"]
    return row if unchanged and row.has_second_step else None


def take_second_step(row: Moderator, code: str) -> None:
    """Check the code and finish signing in; raises Unauthorised or TooMany."""
    number = known_browser.number_of(row)
    keys = [of_account(f" code:{row.id}:{number}" if number else f" code:{row.id}")]
    throttle().count(keys)
    if not two_factor.verify(row, code):
        raise Unauthorised(two_factor.WRONG_CODE, field="code")
    throttle().give_back(keys)
    start(row)


def check_password(row: Moderator, password: str) -> None:
    """Raises Unauthorised if this is not the password of the moderator, TooMany or Unavailable."""
    keys = [of_account(f" again:{row.id}")]
    throttle().count(keys)
    if not passwords.matches(row.password_hash, password):
        raise Unauthorised("Wrong password.", field="current")
    throttle().give_back(keys)


def count_code(row: Moderator) -> None:
    """Count an attempt at the first code of a new second step; raises TooMany."""
    throttle().count([of_account(f" code:{row.id}")])


def give_back_code(row: Moderator) -> None:
    """Give back the attempt at a first code that was right."""
    throttle().give_back([of_account(f" code:{row.id}")])


def start(row: Moderator) -> None:
    """Start a new session for the moderator in a browser that is known from now on."""
    end()
    settings = get_settings()
    token = ModeratorSession.start(row, settings.session_hours, request.user_agent.string)
    login_user(SignedIn(row, token))
    known_browser.remember(row)


def end() -> None:
    """Sign the browser out and end the session on the server."""
    if current_user.is_authenticated:
        ModeratorSession.end(current_user.token)
    logout_user()
    session.clear()


def safe_next(target: str | None) -> str:
    """The URL to open after signing in: a path of the console, else the dashboard."""
    return target if target and _is_console_path(target) else url_for("dashboard.show")


def _is_console_path(target: str) -> bool:
    if "\\" in target or not target.isprintable():  # urlsplit ignores line breaks and tabs
        return False
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and parts.path.startswith("/console/")
