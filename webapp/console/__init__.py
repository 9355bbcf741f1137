"""The browser console at /console: signing in, the dashboard, review, one submission."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from flask import Flask, Response, redirect, request, url_for
from flask_login import current_user

from models.preferences import Preferences
from models.settings import ROOT
from webapp import auth, fragments, live, media, reads
from webapp.console import (
    account,
    alerts,
    audit,
    authors,
    board,
    clients,
    dashboard,
    deliveries,
    erasure,
    errors,
    groups,
    known_images,
    review,
    rules,
    settings,
    signing,
    statistics,
    submissions,
    team,
    words,
)
from webapp.errors import PAGE

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
    """Sessions, the live stream and every page."""
    fragments.htmx.init_app(app)
    auth.init_app(app)
    reads.init_app(app)
    words.init_app(app)
    live.init_app(app, lambda: board.fragments(app))
    app.register_blueprint(media.media)
    for pages in (signing.pages, dashboard.pages, review.pages, groups.pages, submissions.pages):
        app.register_blueprint(pages)
    for noun in (authors, rules, known_images, clients, deliveries, alerts, team, account):
        app.register_blueprint(noun.pages)
    for noun in (audit, settings, statistics):
        app.register_blueprint(noun.pages)
    app.register_blueprint(erasure.pages)
    app.extensions[PAGE] = errors.render
    app.add_template_global(asset)
    macros = app.jinja_env.get_template("layout/_macros.html").module
    app.jinja_env.globals |= {n: getattr(macros, n) for n in ("icon", "logo", "token", "fault")}
    app.context_processor(_layout)
    app.after_request(_protect)
    app.add_url_rule("/", "root", lambda: redirect(url_for("dashboard.show")))


@cache
def asset(name: str) -> str:
    """The address of a file of ``static/``, which changes with its bytes."""
    digest = hashlib.sha256((ROOT / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _layout() -> dict[str, Any]:
    """What base.html shows around every page of somebody who is signed in."""
    if not request.path.startswith("/console") or not current_user.is_authenticated:
        return {}
    known = {"me": current_user.moderator, "preferences": Preferences.of(current_user.moderator)}
    return known if fragments.wanted() else {**board.context(), **known}


def _protect(reply: Response) -> Response:
    if request.path.startswith("/console") or request.path == "/":
        for name, value in HEADERS.items():
            reply.headers.setdefault(name, value)
        reply.vary.add("HX-Request")
    return reply
