"""``DELETE`` of a submission or an author: erases content and personal data immediately."""

from __future__ import annotations

from flask import Blueprint

from models.errors import NotFound
from webapp.api.keys import client_of_request
from webapp.api.status import number_of
from webapp.privacy import erase
from webapp.uploads.fields import LONGEST


def register(blueprint: Blueprint, url: str) -> None:
    """Register the calls."""
    blueprint.add_url_rule(
        f"{url}/submissions/<job_id>", view_func=erase_submission, methods=["DELETE"]
    )
    blueprint.add_url_rule(
        f"{url}/authors/<path:user_id>", view_func=erase_author, methods=["DELETE"]
    )


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


def checked(user_id: str) -> str:
    """The author's id from a URL; raises NotFound if it cannot be one."""
    if len(user_id) > LONGEST["user_id"] or "\0" in user_id:
        raise NotFound("This author does not exist.")
    return user_id
