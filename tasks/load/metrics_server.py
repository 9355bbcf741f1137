"""The port METRICS_LISTEN of a worker or the standby: ``/metrics``, and ``/healthz`` for probes."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from models.settings import get_settings
from tasks.load import liveness
from tasks.load.prometheus import Measures

log = logging.getLogger("sluice.scrape")
TEXT = [("Content-Type", "text/plain; charset=utf-8")]


class QuietHandler(WSGIRequestHandler):
    """Logs no requests: a probe comes every few seconds."""

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def serve() -> None:
    """Serve both, if METRICS_LISTEN asks for it.

    The counters are for hosts without a web process. Only the web processes serve the state of the
    server.
    """
    host, _, port = get_settings().metrics_listen.rpartition(":")
    if not port:
        return
    measured = CollectorRegistry()
    measured.register(Measures())
    try:
        server = _server(host.strip("[]"), int(port), with_health(make_wsgi_app(measured)))
    except OSError as error:
        log.error("METRICS_LISTEN=%s: %s", get_settings().metrics_listen, error.strerror)
        return
    threading.Thread(target=server.serve_forever, name="metrics server", daemon=True).start()


def _server(host: str, port: int, app: Any) -> Any:
    class Server(ThreadingWSGIServer):
        """Of the address's family."""

        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return make_server(host, port, app, Server, QuietHandler)


def with_health(metrics: Any) -> Any:
    """The WSGI app of the metrics, with ``/healthz``: 503 and what is stuck, if anything is."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            return metrics(environ, start)
        overdue = liveness.overdue()
        start("503 Service Unavailable" if overdue else "200 OK", TEXT)
        return [f"stuck: {', '.join(overdue)}\n".encode() if overdue else b"ok\n"]

    return app
