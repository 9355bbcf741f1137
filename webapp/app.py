"""The application: configure, connect, register, return."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import RequestRedirect

from models.database import connection
from models.settings import ROOT, Settings, use_settings
from tasks.observability import logs
from webapp import api, console
from webapp.http import body_limits, errors, health, metrics, timing, tracing
from webapp.limits import limits
from webapp.signin.auth import Sessions
from webapp.uploads import decision_waiter
from webapp.uploads.request import UploadRequest


class Sluice(Flask):
    """Flask with requests that write uploaded files directly to storage."""

    request_class = UploadRequest
    session_interface = Sessions()

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Redirect to a path: Werkzeug would repeat the ``Host`` that the request claims."""
        error = request.routing_exception
        if isinstance(error, RequestRedirect):
            parts = urlsplit(error.new_url)
            path = "/" + parts.path.lstrip("/")
            error.new_url = urlunsplit(("", "", path, parts.query, parts.fragment))
        super().raise_routing_exception(request)


def create_app(settings: Settings) -> Flask:
    """Build the web application. Raises SettingError if it cannot be configured."""
    use_settings(settings)
    app = Sluice("sluice", root_path=str(ROOT), template_folder="templates", static_folder="static")
    logs.guard()
    configure(app, settings)
    connection.connect(settings)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    app.teardown_request(lambda _: connection.release())
    for part in (
        timing,
        tracing,
        metrics,
        errors,
        body_limits,
        limits,
        health,
        decision_waiter,
        api,
        console,
    ):
        part.init_app(app)
    return app


def configure(app: Flask, settings: Settings) -> None:
    """Copy the settings that Flask and the views read into ``app.config``."""
    app.config.update(SECRET_KEY=settings.secret("session"))
    app.json.sort_keys = False  # type: ignore[attr-defined]
