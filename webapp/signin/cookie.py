"""Flask's signed cookie, for those who have one."""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface


class Sessions(SecureCookieSessionInterface):
    """Makes no signer for a request without the cookie, as all of the API's are."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """An empty session where there is nothing to verify."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)
