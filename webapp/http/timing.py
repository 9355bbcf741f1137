"""``Server-Timing``: where the time of a request went, in milliseconds; and its id."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import Flask, Response, g, request

from tasks.observability import logs, tracing


def init_app(app: Flask) -> None:
    """Measure every request."""
    app.before_request(_begin)
    app.after_request(_tell)


@contextmanager
def measured(name: str) -> Iterator[None]:
    """Add the block's time to the request's ``name``."""
    started = time.perf_counter()
    try:
        with tracing.span(name):
            yield
    finally:
        add({name: time.perf_counter() - started})


def add(parts: Mapping[str, float]) -> None:
    """Add seconds that were measured elsewhere to the request's parts, by name."""
    spans = g.setdefault("spans", {})
    for name, seconds in parts.items():
        spans[name] = spans.get(name, 0.0) + seconds


def elapsed() -> float:
    """Seconds since this request began here."""
    return time.perf_counter() - float(g.started)


def _begin() -> None:
    logs.begin(request_id=request.headers.get("X-Request-ID"))
    g.started = time.perf_counter()


def _tell(response: Response) -> Response:
    spans = dict(g.get("spans", {}))
    if "started" in g:
        spans["total"] = time.perf_counter() - g.started
    told = ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in spans.items())
    response.headers["Server-Timing"] = told
    if "X-Request-ID" in request.headers:
        response.headers["X-Request-ID"] = request.headers["X-Request-ID"]
    return response
