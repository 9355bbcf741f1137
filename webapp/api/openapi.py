"""``GET /api/openapi.json``."""
from __future__ import annotations

from flask import Blueprint


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/openapi.json", view_func=document)


def document() -> dict:
    return {"openapi": "3.1.0"}
