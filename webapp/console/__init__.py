"""The browser console at ``/console``: one package per subject, registered here.

Open ``dashboard/pages.py`` first for a small page. ``shared`` has the code that all pages use.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from flask import Flask, Response, redirect, request, url_for
from flask_login import current_user
from jinja2 import Template
from jinja2.runtime import Macro

from models.people.preferences import Preferences
from models.settings import ROOT
from webapp.console.accounts import own_account, sign_in, team
from webapp.console.authors import erasure
from webapp.console.authors import pages as authors
from webapp.console.clients import deliveries
from webapp.console.clients import pages as clients
from webapp.console.dashboard import live_fragments
from webapp.console.dashboard import pages as dashboard
from webapp.console.operations import alerts, audit, settings, statistics
from webapp.console.policies import pages as policies
from webapp.console.review import groups
from webapp.console.review import pages as review
from webapp.console.rules import known_images, labels, languages
from webapp.console.rules import pages as rules
from webapp.console.shared import error_page, formatting, live, media
from webapp.console.submissions import pages as submissions
from webapp.http import fragments, replica_reads
from webapp.http.errors import PAGE
from webapp.signin import auth

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
MACROS = (
    "layout/_macros.html",
    "layout/_forms.html",
    "layout/_lists.html",
)  # each uses macros of the ones before
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def init_app(app: Flask) -> None:
    """Set up sessions and the event stream, and register every page."""
    fragments.htmx.init_app(app)
    auth.init_app(app)
    replica_reads.init_app(app)
    formatting.init_app(app)
    live.init_app(app, lambda: live_fragments.fragments(app))
    app.register_blueprint(media.media)
    for pages in (sign_in.pages, dashboard.pages, review.pages, groups.pages, submissions.pages):
        app.register_blueprint(pages)
    for noun in (
        authors,
        rules,
        languages,
        known_images,
        labels,
        policies,
        clients,
        deliveries,
        alerts,
        team,
        own_account,
    ):
        app.register_blueprint(noun.pages)
    for noun in (audit, settings, statistics):
        app.register_blueprint(noun.pages)
    app.register_blueprint(erasure.pages)
    app.extensions[PAGE] = error_page.render
    app.add_template_global(asset)
    for name in MACROS:
        app.jinja_env.globals |= _macros(app.jinja_env.get_template(name))
    app.context_processor(_layout)
    app.after_request(_protect)
    app.add_url_rule("/", "root", lambda: redirect(url_for("dashboard.show")))


def _macros(template: Template) -> dict[str, Any]:
    """The macros of a template by name."""
    members = vars(template.module).items()
    return {name: macro for name, macro in members if isinstance(macro, Macro)}


@cache
def asset(name: str) -> str:
    """The URL of a file in ``static/``; it changes with the content, so browsers may cache it."""
    digest = hashlib.sha256((ROOT / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _layout() -> dict[str, Any]:
    """The values that base.html shows around every page of a signed-in moderator."""
    if not request.path.startswith("/console") or not current_user.is_authenticated:
        return {}
    values = {"me": current_user.moderator, "preferences": Preferences.of(current_user.moderator)}
    return values if fragments.is_requested() else {**live_fragments.context(), **values}


def _protect(response: Response) -> Response:
    is_page = response.mimetype == "text/html"  # outside the console too: an error of a browser
    if is_page or request.path.startswith("/console") or request.path == "/":
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.vary.add("HX-Request")
    return response
