"""``/_large_body``: nginx asks here, before it reads a large body, whether its sender is known.

nginx passes the headers of the request without its body. The URL is internal to nginx.
"""

from __future__ import annotations

from flask import Blueprint, request
from flask_login import current_user

from models.errors import Unauthorised
from webapp.api.keys import client_of_request


def register(blueprint: Blueprint) -> None:
    """Register the call."""
    blueprint.add_url_rule("/_large_body", view_func=may_send)


def may_send() -> tuple[str, int]:
    """204 for a client's valid key or a signed-in person, else 401; nginx writes the response."""
    if "Authorization" not in request.headers and current_user.is_authenticated:
        return "", 204
    try:
        client_of_request()
    except Unauthorised:
        return "", 401
    return "", 204
