"""``POST /api/moderation/appeals``: ask a person to review a rejection."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from models.errors import Invalid
from models.moderation import appeal
from webapp.api.keys import client_of_request
from webapp.api.status import number_of
from webapp.uploads.fields import is_blank, json_object

FIELDS = ("job_id", "message")


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/appeals", view_func=ask, methods=["POST"])


def ask() -> tuple[dict[str, Any], int]:
    """Accept an appeal; ``appeal.decided`` and the status report its outcome."""
    client = client_of_request()
    given = json_object()
    for name in sorted(set(given) - set(FIELDS))[:1]:
        raise Invalid(f"Unknown field {name[:60]!r}.", field=name[:60])
    job_id, message = _text(given, "job_id", 64), _text(given, "message", appeal.LONGEST)
    made = appeal.ask(number_of(job_id), client.id, message.strip())
    return {
        "job_id": str(made.submission_id),
        "message": made.message,
        "created_at": made.created_at.isoformat(),
    }, 201


def _text(given: dict[str, Any], name: str, longest: int) -> str:
    value = given.get(name)
    if not isinstance(value, str) or is_blank(value):
        raise Invalid(f"{name} is required.", field=name)
    if len(value) > longest:
        raise Invalid(f"{name} must have at most {longest:,} characters.", field=name)
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Invalid(f"{name} contains a character that cannot be stored.", field=name)
    return value
