"""Console sessions: signing in and out, and what each role may do.

Flask's signed cookie holds a random token; its digest stands in ``moderator_session``, so that
signing out, or disabling an account, ends the session on the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, current_app, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from models.accounts import two_factor
from models.database.tokens import digest
from models.errors import Forbidden, TooMany, Unauthorised
from models.people.moderator import Moderator, ModeratorSession
from models.settings import Settings, get_settings
from tasks.queue.redis_connection import connect
from webapp.http import fragments
from webapp.signin import passwords

WRONG = "This name and password do not belong together."
BY_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign-in-account")
BY_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="sign-in-address")
PENDING = "second-step"  # in the cookie: who gave the right password and owes a code
PENDING_SECONDS = 300

View = TypeVar("View", bound=Callable[..., Any])

csrf = CSRFProtect()
manager = LoginManager()


class SignedIn(UserMixin):
    """A moderator in a browser; what Flask-Login keeps of it is the session's token."""

    def __init__(self, moderator: Moderator, token: str) -> None:
        self.moderator, self.token = moderator, token

    def get_id(self) -> str:
        """The token, which the cookie carries."""
        return self.token


def init_app(app: Flask) -> None:
    """Cookies, CSRF and Flask-Login; only the console asks for a CSRF token."""
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
    manager.session_protection = None  # the server knows the session; addresses may change
    manager.init_app(app)
    app.extensions["sign_in_throttle"] = Throttle(settings)
    passwords.prepare()


@manager.user_loader
def load_signed_in(token: str) -> SignedIn | None:
    """Whose session the cookie's token is, if it has not ended."""
    moderator = ModeratorSession.moderator_of(token)
    if moderator is None:
        return None
    ModeratorSession.touch(token)
    return SignedIn(moderator, token)


@manager.unauthorized_handler
def ask_to_sign_in() -> Any:
    """A page leads to the sign-in form and back; a fragment is told that the session has ended."""
    if fragments.wanted() or request.method != "GET":
        raise Unauthorised("Your session has ended. Sign in again.")
    target = request.full_path.rstrip("?")
    return redirect(url_for("signing.sign_in", next=target if target != "/console/" else None))


def moderator() -> Moderator:
    """Who is signed in."""
    row: Moderator = current_user.moderator
    return row


def decides(view: View) -> View:
    """Only for those who may decide; a viewer is told so."""
    return _only(view, lambda: moderator().can_decide, "Viewers see, but do not decide.")


def configures(view: View) -> View:
    """Only for administrators."""
    return _only(view, lambda: moderator().can_configure, "Only administrators may do this.")


def _only(view: View, may: Callable[[], bool], sentence: str) -> View:
    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not may():
            raise Forbidden(sentence)
        return view(*args, **kwargs)

    return checked  # type: ignore[return-value]


def sign_in(name: str, password: str) -> bool:
    """Sign the browser in; False where a second step is owed. Raises Unauthorised or TooMany.

    An unknown name costs the same time and is told the same as a wrong password.
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
    """Who gave the right password in this browser within five minutes and owes a code."""
    owed = session.get(PENDING)
    if not owed or time.time() - owed["at"] > PENDING_SECONDS:
        return None
    row = Moderator.get_or_none(Moderator.id == owed["id"], Moderator.disabled_at.is_null())
    same = row is not None and digest(row.password_hash).hex() == owed["seal"]
    return row if same and row.has_second_step else None


def take_second_step(row: Moderator, code: str) -> None:
    """Sign in who owes a code; raises Unauthorised or TooMany."""
    count_attempt(f" code:{row.id}")
    if not two_factor.passes(row, code):
        raise Unauthorised(two_factor.WRONG, field="code")
    forget_attempts(f" code:{row.id}")
    start(row)


def check_password(row: Moderator, password: str) -> None:
    """Raises Unauthorised where this is not the password of who is signed in, or TooMany."""
    count_attempt(f" again:{row.id}")
    if not passwords.matches(row.password_hash, password):
        raise Unauthorised("This is not your password.", field="current")
    forget_attempts(f" again:{row.id}")


def count_attempt(name: str, address: str | None = None) -> None:
    """Count an attempt on an account, and from an address; raises TooMany past the limits.

    What is counted beside names begins with a space, as no name does.
    """
    _throttle().count(name, address)


def forget_attempts(name: str, address: str | None = None) -> None:
    """Forget the attempts on an account after the right one, and this one from its address."""
    _throttle().forget(name, address)


def _throttle() -> Throttle:
    throttle: Throttle = current_app.extensions["sign_in_throttle"]
    return throttle


def start(row: Moderator) -> None:
    """Begin a new session for the moderator; nothing of an earlier one is kept."""
    end()
    settings = get_settings()
    token = ModeratorSession.start(row, settings.session_hours, request.user_agent.string)
    login_user(SignedIn(row, token))


def end() -> None:
    """Sign the browser out, on the server too."""
    if current_user.is_authenticated:
        ModeratorSession.end(current_user.token)
    logout_user()
    session.clear()


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a path of the console, else the dashboard."""
    parts = urlsplit(target or "")
    ours = not parts.scheme and not parts.netloc and parts.path.startswith("/console/")
    return target if ours and target and "\\" not in target else url_for("dashboard.show")


class Throttle:
    """Counts attempts to sign in, in Redis, or in this process while Redis is away."""

    def __init__(self, settings: Settings) -> None:
        redis = RedisStorage("redis://", connection_pool=connect(settings), wrap_exceptions=True)
        self._stores = [cast("Storage", redis), MemoryStorage()]

    def count(self, name: str, address: str | None) -> None:
        """Count an attempt; raises TooMany past the limits."""
        wanted = [(BY_ACCOUNT, name.lower())]
        wanted += [(BY_ADDRESS, address)] if address is not None else []
        try:
            self._count(self._stores[0], wanted)
        except StorageError:
            self._count(self._stores[1], wanted)

    def _count(self, store: Storage, wanted: Sequence[tuple[RateLimitItem, str]]) -> None:
        limiter = FixedWindowRateLimiter(store)
        for item, key in wanted:
            if not limiter.hit(item, key):
                raise TooMany(
                    "Too many attempts to sign in. Wait a few minutes.",
                    retry_after=max(1, int(item.get_expiry())),
                )

    def forget(self, name: str, address: str | None) -> None:
        """Forget the attempts on an account after it signed in.

        Of those from its address only this one is given back, so that an office of many is not
        shut out by its own sign-ins and nobody hides guesses behind one account.
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
