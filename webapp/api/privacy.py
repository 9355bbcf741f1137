"""``DELETE`` of a submission or an author, and the export of all that is stored of an author."""

from __future__ import annotations

from flask import Blueprint, Response, request

from models.errors import Invalid, NotFound
from models.settings import get_settings
from webapp.api.keys import client_of_request
from webapp.api.status import number_of
from webapp.privacy import author_download, erase
from webapp.uploads.fields import LONGEST


def register(blueprint: Blueprint, url: str) -> None:
    """Register the calls."""
    blueprint.add_url_rule(
        f"{url}/submissions/<job_id>", view_func=erase_submission, methods=["DELETE"]
    )
    blueprint.add_url_rule(
        f"{url}/authors/<path:user_id>", view_func=erase_author, methods=["DELETE"]
    )
    blueprint.add_url_rule(f"{url}/authors/<path:user_id>/export", view_func=export)


def erase_submission(job_id: str) -> tuple[str, int]:
    """Erase one submission of this client; idempotent."""
    client = client_of_request()
    erase.submission(number_of(job_id), client.id)
    return "", 204


def erase_author(user_id: str) -> tuple[str, int]:
    """Erase an author of this client: all submissions and the author's record."""
    client = client_of_request()
    erase.author(client.id, checked(user_id))
    return "", 204


def export(user_id: str) -> Response:
    """The author's document, or with ``format=zip`` an archive that includes the originals."""
    client = client_of_request()
    how = request.args.get("format", "json")
    if how not in author_download.FORMATS:
        formats = ", ".join(author_download.FORMATS)
        raise Invalid(f"format must be one of {formats}.", field="format")
    return author_download.response(get_settings(), client, checked(user_id), how)


def checked(user_id: str) -> str:
    """The author's id from a URL; raises NotFound if it cannot be one."""
    if len(user_id) > LONGEST["user_id"] or "\0" in user_id:
        raise NotFound("This author does not exist.")
    return user_id
