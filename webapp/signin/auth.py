"""Console sessions: sign-in, sign-out and role guards.

Flask's signed cookie holds a random token and ``moderator_session`` holds its digest. So signing
out, or disabling an account, ends the session on the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, Request, current_app, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from models.accounts import two_factor
from models.database.tokens import digest
from models.errors import TooMany, Unauthorised
from models.people.moderator import Moderator, ModeratorSession
from models.settings import Settings, get_settings
from tasks.queue.redis_connection import connect
from webapp.http import fragments
from webapp.signin import passwords

WRONG = "Wrong name or password."
BY_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign-in-account")
BY_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="sign-in-address")
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


def sign_in(name: str, password: str) -> bool:
    """Sign the browser in; False if a second step is required. Raises Unauthorised or TooMany.

    An unknown name takes the same time and gets the same response as a wrong password.
    """
    name = name.strip()[:60]
    count_attempt(name, request.remote_addr or "")
    row = Moderator.named(name)
    if not passwords.matches(row.password_hash if row else None, password) or row is None:
        raise Unauthorised(WRONG, field="password")
    forget_attempts(name, request.remote_addr or "")
    if row.has_second_step:
        end()
        seal = digest(row.password_hash).hex()
        session[PENDING] = {"id": row.id, "at": int(time.time()), "seal": seal}
        return False
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
    count_attempt(f" code:{row.id}")
    if not two_factor.verify(row, code):
        raise Unauthorised(two_factor.WRONG_CODE, field="code")
    forget_attempts(f" code:{row.id}")
    start(row)


def check_password(row: Moderator, password: str) -> None:
    """Raises Unauthorised if this is not the password of the moderator, or TooMany."""
    count_attempt(f" again:{row.id}")
    if not passwords.matches(row.password_hash, password):
        raise Unauthorised("Wrong password.", field="current")
    forget_attempts(f" again:{row.id}")


def count_attempt(name: str, address: str | None = None) -> None:
    """Count an attempt on an account and from an address; raises TooMany above the limits.

    Keys that are not account names begin with a space, which no name does.
    """
    _throttle().count(name, address)


def forget_attempts(name: str, address: str | None = None) -> None:
    """Reset the attempts on an account after a success, and give one back to the address."""
    _throttle().forget(name, address)


def _throttle() -> Throttle:
    throttle: Throttle = current_app.extensions["sign_in_throttle"]
    return throttle


def start(row: Moderator) -> None:
    """Start a new session for the moderator; the earlier one ends."""
    end()
    settings = get_settings()
    token = ModeratorSession.start(row, settings.session_hours, request.user_agent.string)
    login_user(SignedIn(row, token))


def end() -> None:
    """Sign the browser out and end the session on the server."""
    if current_user.is_authenticated:
        ModeratorSession.end(current_user.token)
    logout_user()
    session.clear()


def safe_next(target: str | None) -> str:
    """The URL to open after signing in: a path of the console, else the dashboard."""
    parts = urlsplit(target or "")
    local = not parts.scheme and not parts.netloc and parts.path.startswith("/console/")
    return target if local and target and "\\" not in target else url_for("dashboard.show")


class Throttle:
    """Counts sign-in attempts in Redis, or in this process while Redis is down."""

    def __init__(self, settings: Settings) -> None:
        redis = RedisStorage("redis://", connection_pool=connect(settings), wrap_exceptions=True)
        self._stores = [cast("Storage", redis), MemoryStorage()]

    def count(self, name: str, address: str | None) -> None:
        """Count an attempt; raises TooMany above the limits."""
        keys = [(BY_ACCOUNT, name.lower())]
        keys += [(BY_ADDRESS, address)] if address is not None else []
        try:
            self._count(self._stores[0], keys)
        except StorageError:
            self._count(self._stores[1], keys)

    def _count(self, store: Storage, keys: Sequence[tuple[RateLimitItem, str]]) -> None:
        limiter = FixedWindowRateLimiter(store)
        for item, key in keys:
            if not limiter.hit(item, key):
                raise TooMany(
                    "Too many sign-in attempts. Try again in a few minutes.",
                    retry_after=max(1, int(item.get_expiry())),
                )

    def forget(self, name: str, address: str | None) -> None:
        """Reset the attempts on an account after it signed in.

        The address gets back only one attempt: an office with one address is not locked out by
        its own sign-ins, and an attacker cannot reset the count with an account of their own.
        """
        for store in self._stores:
            limiter = FixedWindowRateLimiter(store)
            try:
                limiter.clear(BY_ACCOUNT, name.lower())
                if address is not None:
                    limiter.hit(BY_ADDRESS, address, cost=-1)
                    address = None
            except StorageError:
                continue
