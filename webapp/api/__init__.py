"""The HTTP API under ``/api``: one file per call.

Open ``submissions.py`` first: an upload in, its verdict or job id out. ``schemas.py`` and
``openapi.py`` describe every call.
"""

from __future__ import annotations

from flask import Blueprint, Flask, request

from models.errors import Malformed
from webapp.api import (
    appeals,
    detect,
    label_list,
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
    for part in (submissions, status, stats, label_list, detect, privacy, appeals):
        part.register(blueprint, URL)
    openapi.register(blueprint, "/api")
    large_bodies.register(blueprint)
    app.register_blueprint(blueprint)
    app.before_request(_require_utf_8)


def _require_utf_8() -> None:
    """Refuse a path whose bytes are not UTF-8: replaced by U+FFFD, they would name someone else."""
    if request.path.startswith("/api/"):
        try:
            request.environ["PATH_INFO"].encode("latin-1").decode()
        except UnicodeDecodeError as error:
            detail = "The path of the URL is not UTF-8. Encode its parts as UTF-8 and then by %."
            raise Malformed(detail) from error
