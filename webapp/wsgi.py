"""The target of gunicorn: ``webapp.wsgi:app``, created on first access and not at import."""

from __future__ import annotations

from flask import Flask

from models.settings import Settings
from webapp.app import create_app


def __getattr__(name: str) -> Flask:
    if name != "app":
        raise AttributeError(name)
    return create_app(Settings.load())
