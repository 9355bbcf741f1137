"""What gunicorn serves: ``webapp.wsgi:app``, made when gunicorn asks for it and not at import."""

from __future__ import annotations

from flask import Flask

from models.settings import Settings
from webapp.app import create_app


def __getattr__(name: str) -> Flask:
    if name != "app":
        raise AttributeError(name)
    return create_app(Settings.load())
