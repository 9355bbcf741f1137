"""Flask's signed session cookie, skipped for requests that have none."""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface


class Sessions(SecureCookieSessionInterface):
    """Creates no signer for requests without the cookie: no API request has one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """An empty session if there is no cookie to verify."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)
