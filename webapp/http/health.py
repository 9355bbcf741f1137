"""``/healthz``: this process is alive; ``/readyz``: everything it stands on is."""

from __future__ import annotations

from typing import Any

from flask import Flask

from tasks.load import health, snapshot


def init_app(app: Flask) -> None:
    """Register both."""
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)


def healthz() -> tuple[dict[str, str], int]:
    """Alive: this process answers."""
    return {"status": "ok"}, 200


def readyz() -> tuple[dict[str, Any], int]:
    """Ready: each part by name; 503 only where no upload can be taken."""
    told = snapshot.health()
    ready = health.take_uploads(told)
    return {"ready": ready, "parts": told}, 200 if ready else 503
