"""``/metrics`` for Prometheus, and the count and time of every answer. nginx keeps it private."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from prometheus_client.exposition import choose_encoder

from tasks.load import prometheus
from tasks.observability import metrics
from webapp.http.offload import offload

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NOWHERE = "none"  # the route of an address that leads nowhere: whatever is asked for, it is one


def init_app(app: Flask) -> None:
    """Count from now on, and answer Prometheus."""
    app.after_request(_observe)
    app.add_url_rule("/metrics", view_func=tell)
    metrics.start()


def tell() -> Response:
    """All measures and the state of the server, in the format that is asked for.

    The files of all processes are added up in a real thread: that takes a few milliseconds of each
    scrape, in which other requests go on.
    """
    found = [*offload(prometheus.measures), *prometheus.truth()]
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(prometheus.registry(found)), content_type=content_type)


def _observe(response: Response) -> Response:
    """Count the answer by its route, never by its address: of those there is no end."""
    route = request.url_rule.rule if request.url_rule is not None else NOWHERE
    method = request.method if request.method in METHODS else "other"
    metrics.meters().requests.labels(method, route, response.status_code).inc()
    started = g.get("started")
    waited = response.mimetype == "text/event-stream" or "wait" in request.args
    if started is not None and not waited:
        metrics.meters().request_seconds.labels(method, route).observe(
            time.perf_counter() - started
        )
    return response
