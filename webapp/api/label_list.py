"""``GET /api/moderation/labels``: what a reason's label can be, with its texts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from models.labels.label_index import labels
from webapp.api.keys import client_of_request


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/labels", view_func=label_list)


def label_list() -> list[dict[str, Any]]:
    """All labels in their order; retired ones too, since earlier decisions have them."""
    client_of_request()
    return [
        {
            "name": entry.name,
            "title": entry.title,
            "author_text": entry.author_text,
            "retired": entry.is_retired,
        }
        for entry in labels.get().entries.values()
    ]
