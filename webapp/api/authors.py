"""``GET /api/moderation/authors/{user_id}/export``: all data held about an author."""

from __future__ import annotations

from flask import Blueprint, Response, request

from models.errors import Invalid
from models.settings import get_settings
from webapp.api.erasure import checked
from webapp.api.keys import client_of_request
from webapp.privacy import author_download


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/authors/<path:user_id>/export", view_func=export)


def export(user_id: str) -> Response:
    """The author's document, or with ``format=zip`` an archive that includes the originals."""
    client = client_of_request()
    how = request.args.get("format", "json")
    if how not in author_download.FORMATS:
        formats = ", ".join(author_download.FORMATS)
        raise Invalid(f"format must be one of {formats}.", field="format")
    return author_download.response(get_settings(), client, checked(user_id), how)
