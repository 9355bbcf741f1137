"""The headers ``Server-Timing`` (milliseconds per part of a request) and ``X-Request-ID``.

Each response is counted here with its status and its time, for the alerts and the limits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import Flask, Response, g, request

from tasks.load.response_counts import counter
from tasks.observability import logs, tracing

NOT_COUNTED = ("/healthz", "/readyz", "/metrics", "/static/", "/_large_body")


def init_app(app: Flask) -> None:
    """Measure every request."""
    app.before_request(_begin)
    app.after_request(_add_headers)
    app.after_request(_count)


@contextmanager
def measured(name: str) -> Iterator[None]:
    """Add the duration of the block to the part ``name`` of this request."""
    started = time.perf_counter()
    try:
        with tracing.span(name):
            yield
    finally:
        add({name: time.perf_counter() - started})


def add(parts: Mapping[str, float]) -> None:
    """Add seconds that were measured elsewhere to the parts of this request."""
    spans = g.setdefault("spans", {})
    for name, seconds in parts.items():
        spans[name] = spans.get(name, 0.0) + seconds


def elapsed() -> float:
    """Seconds since this process received the request."""
    return time.perf_counter() - float(g.started)


def _begin() -> None:
    logs.begin(request_id=request.headers.get("X-Request-ID"))
    g.started = time.perf_counter()


def _add_headers(response: Response) -> Response:
    spans = dict(g.get("spans", {}))
    if "started" in g:
        spans["total"] = time.perf_counter() - g.started
    parts = (f"{name};dur={seconds * 1000:.2f}" for name, seconds in spans.items())
    response.headers["Server-Timing"] = ", ".join(parts)
    if "X-Request-ID" in request.headers:
        response.headers["X-Request-ID"] = request.headers["X-Request-ID"]
    return response


def _count(response: Response) -> Response:
    if response.mimetype != "text/event-stream" and not request.path.startswith(NOT_COUNTED):
        waited = "wait" in request.args  # a long poll: the client chose its duration
        started = g.get("started")
        timed = started is not None and not waited
        counter.response(response.status_code, time.perf_counter() - started if timed else None)
    return response
