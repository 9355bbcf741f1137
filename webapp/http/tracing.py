"""The trace span of a request, a child of its ``traceparent``, if tracing is configured."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request

from models.settings import get_settings
from tasks.observability import logs, tracing

NOT_TRACED = ("/healthz", "/readyz", "/metrics", "/static/", "/console/events", "/_large_body")


def init_app(app: Flask) -> None:
    """Trace all requests except those in NOT_TRACED; does nothing if no collector is set."""
    settings = get_settings()
    if tracing.start(settings, "web"):
        app.before_request(_begin)
        app.after_request(_record)
        app.teardown_request(_end)


def _begin() -> None:
    if request.path.startswith(NOT_TRACED):
        return
    parent = request.headers.get("traceparent")
    g.span = tracing.span(request.method, parent, kind="SERVER", method=request.method)
    g.span.__enter__()
    tracing.note(request_id=request.headers.get("X-Request-ID"))
    logs.add(trace_id=tracing.trace_id())


def _record(response: Response) -> Response:
    if "span" in g:
        route = request.url_rule.rule if request.url_rule is not None else None
        name = f"{request.method} {route}" if route else request.method
        code = response.status_code
        tracing.note(name, failed=code >= 500, route=route, status=code)
    return response


def _end(_: Any) -> None:
    span = g.pop("span", None)
    if span is not None:
        span.__exit__(None, None, None)
