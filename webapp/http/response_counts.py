"""Counts every response with its status and duration, for alerts and adaptive limits."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request

from tasks.load.response_counts import counter

NOT_COUNTED = ("/healthz", "/readyz", "/metrics", "/static/")


def init_app(app: Flask) -> None:
    """Register the counter."""
    app.after_request(_count)


def _count(response: Response) -> Response:
    if response.mimetype != "text/event-stream" and not request.path.startswith(NOT_COUNTED):
        waited = "wait" in request.args  # a long poll: the client chose its duration
        started = g.get("started")
        timed = started is not None and not waited
        counter.response(response.status_code, time.perf_counter() - started if timed else None)
    return response
