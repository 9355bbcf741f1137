"""The HTTP API under ``/api``: one file per call.

Open ``submissions.py`` first: an upload in, its verdict or job id out. ``schemas.py`` and
``openapi.py`` describe every call.
"""

from __future__ import annotations

from flask import Blueprint, Flask

from webapp.api import (
    appeals,
    detect,
    large_bodies,
    openapi,
    privacy,
    stats,
    status,
    submissions,
)

URL = "/api/moderation"


def init_app(app: Flask) -> None:
    """Register every call."""
    blueprint = Blueprint("api", __name__)
    for part in (submissions, status, stats, detect, privacy, appeals):
        part.register(blueprint, URL)
    openapi.register(blueprint, "/api")
    large_bodies.register(blueprint)
    app.register_blueprint(blueprint)
