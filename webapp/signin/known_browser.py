"""Known browsers: those that signed in to an account before, by a signed cookie.

OWASP calls them device cookies. Attempts of a known browser are counted for it alone, so a stranger
who uses up the attempts on an account does not lock its owner out. The cookie is no session: it
replaces neither the password nor the second step. It holds, for each account, a random number to
count by and a mark of the password, so that a new password makes it invalid.
"""

from __future__ import annotations

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from models.database.tokens import digest, new_token
from models.people.moderator import Moderator

SALT = "known-browser"
DAYS = 180
MOST_ACCOUNTS = 5  # in one browser; the oldest is forgotten
MARK = 16  # characters of the password's mark

Entry = tuple[int, str, str]  # account, random number, mark of the password


def number_of(row: Moderator | None) -> str | None:
    """The random number of this browser for an account; None if it is not known."""
    for account, number, mark in _entries():
        if row is not None and account == row.id and mark == _mark(row):
            return number
    return None


def remember(row: Moderator) -> None:
    """Make this browser a known one of the account, with a new random number."""
    entry = (row.id, new_token()[:MARK], _mark(row))
    entries = [entry, *(other for other in _entries() if other[0] != row.id)][:MOST_ACCOUNTS]
    value = _serializer().dumps(entries)

    @after_this_request
    def add(response: Response) -> Response:
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        response.set_cookie(
            _name(), value, DAYS * 86_400, secure=secure, httponly=True, samesite="Lax"
        )
        return response


def _entries() -> list[Entry]:
    cookie = request.cookies.get(_name())
    if not cookie:
        return []
    try:
        entries = _serializer().loads(cookie, max_age=DAYS * 86_400)
    except BadSignature:
        return []
    return [(account, number, mark) for account, number, mark in entries]


def _mark(row: Moderator) -> str:
    return digest(row.password_hash).hex()[:MARK]


def _name() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-browser"


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=SALT)
