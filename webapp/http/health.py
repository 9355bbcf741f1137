"""``/healthz``: this process is alive. ``/readyz``: its dependencies are available."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from tasks.load import health, snapshot


def init_app(app: Flask) -> None:
    """Register both."""
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)


def healthz() -> tuple[dict[str, str], int]:
    """Liveness: this process responds."""
    return {"status": "ok"}, 200


def readyz() -> tuple[dict[str, Any], int]:
    """Readiness: the state of each part by name; 503 only if no upload can be accepted.

    With ``?load`` also the load, for ``scripts/status``. nginx allows only its own machine.
    """
    load = {"load": snapshot.brief()} if "load" in request.args else {}
    parts = snapshot.health()
    ready = health.take_uploads(parts)
    return {"ready": ready, "parts": parts, **load}, 200 if ready else 503
