"""Counts every answer with its status and its time, for the alerts and for the limits."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request

from tasks.load.response_counts import tally

ASKED_BY_MACHINES = ("/healthz", "/readyz", "/metrics", "/static/")


def init_app(app: Flask) -> None:
    """Count from now on."""
    app.after_request(_count)


def _count(response: Response) -> Response:
    if response.mimetype != "text/event-stream" and not request.path.startswith(ASKED_BY_MACHINES):
        waited = "wait" in request.args  # as long as the client wished
        started = g.get("started")
        timed = started is not None and not waited
        tally.note(response.status_code, time.perf_counter() - started if timed else None)
    return response
