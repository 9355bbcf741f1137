"""``GET /api/moderation/authors/{user_id}/export``: all that is held about an author."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from models.errors import Invalid
from webapp import portable
from webapp.api.erasure import checked
from webapp.keys import client_of_request


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/authors/<path:user_id>/export", view_func=export)


def export(user_id: str) -> Response:
    """The author's document, or with ``format=zip`` an archive with the originals too."""
    client = client_of_request()
    how = request.args.get("format", "json")
    if how not in portable.FORMATS:
        raise Invalid(f"format is one of {', '.join(portable.FORMATS)}.", field="format")
    return portable.reply(current_app.config["SETTINGS"], client, checked(user_id), how)
