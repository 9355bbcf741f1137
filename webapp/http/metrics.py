"""``/metrics`` for Prometheus; counts and times every response. nginx keeps it private."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from prometheus_client.exposition import choose_encoder

from tasks.load import prometheus
from tasks.observability import metrics
from webapp.http.offload import offload

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NO_ROUTE = "none"  # label of all URLs without a route, so that clients cannot add label values


def init_app(app: Flask) -> None:
    """Register the counters and ``/metrics``."""
    app.after_request(_observe)
    app.add_url_rule("/metrics", view_func=expose)
    metrics.start()


def expose() -> Response:
    """All metrics and the state of the server, in the requested format.

    A real thread adds up the files of all processes: that takes a few milliseconds per scrape,
    and other requests continue during that time.
    """
    families = [*offload(prometheus.measures), *prometheus.state()]
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(prometheus.registry(families)), content_type=content_type)


def _observe(response: Response) -> Response:
    """Count the response by its route, not by its URL: the number of URLs is unbounded."""
    route = request.url_rule.rule if request.url_rule is not None else NO_ROUTE
    method = request.method if request.method in METHODS else "other"
    metrics.meters().requests.labels(method, route, response.status_code).inc()
    started = g.get("started")
    waited = response.mimetype == "text/event-stream" or "wait" in request.args
    if started is not None and not waited:
        metrics.meters().request_seconds.labels(method, route).observe(
            time.perf_counter() - started
        )
    return response
