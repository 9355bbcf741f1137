"""Traces for OpenTelemetry, from the request to the verdict and the webhook's call.

Off, with no library imported, until OTEL_EXPORTER_OTLP_ENDPOINT names a collector. A separate
thread sends spans from a bounded queue: while the collector is down they are dropped, and no job
waits. A submission's row stores its trace (W3C ``traceparent``), so that a worker continues it even
if the job did not come through the queue.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from models.settings import Settings

FLUSH_TIMEOUT = 2.0  # seconds that an ending process waits for its last spans
MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the extra 'otel' is not installed: no trace is sent."
    " Run python3 scripts/_install.py otel, then scripts/down and scripts/up"
)
SEMANTIC_NAMES = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
}
log = logging.getLogger("sluice.tracing")
_no_span: AbstractContextManager[None] = nullcontext()
_tracer: Any = None
_api: Any = None  # opentelemetry.trace
_carrier: Any = None  # reads and writes traceparent


def is_missing(settings: Settings) -> bool:
    """Whether traces are configured but the extra ``otel`` is not installed."""
    configured = bool(settings.otel_exporter_otlp_endpoint)
    return configured and importlib.util.find_spec("opentelemetry") is None


def start(settings: Settings, service: str) -> bool:
    """Start tracing this process if a collector is set; returns whether it traces."""
    global _tracer, _api, _carrier
    if not settings.otel_exporter_otlp_endpoint:
        return False
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError:
        log.error(MISSING)
        return False
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # it warns at each retry
    resource = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME", "sluice"),
        "service.instance.id": f"{socket.gethostname()}/{service}",
    }
    provider = TracerProvider(resource=Resource.create(resource), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(_traces(settings.otel_exporter_otlp_endpoint))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    atexit.register(_end, provider)
    _api, _carrier = trace, TraceContextTextMapPropagator()
    _tracer = provider.get_tracer("sluice")
    return True


def _traces(endpoint: str) -> str:
    """The collector's URL for spans; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT gives it in full."""
    full = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    return full or f"{endpoint.rstrip('/')}/v1/traces"


def _end(provider: Any) -> None:
    """Send the remaining spans, waiting at most ``FLUSH_TIMEOUT``."""
    ending = threading.Thread(target=provider.shutdown, daemon=True)
    ending.start()
    ending.join(FLUSH_TIMEOUT)


def active() -> bool:
    """Whether this process traces."""
    return _tracer is not None


def span(
    name: str, parent: str | None = None, *, kind: str = "INTERNAL", **attributes: Any
) -> AbstractContextManager[Any]:
    """A span around the block: a child of the open span, or of ``parent``, a traceparent."""
    if _tracer is None:
        return _no_span
    context = _carrier.extract({"traceparent": parent}) if parent else None
    return _tracer.start_as_current_span(
        name, context, kind=_api.SpanKind[kind], attributes=_dotted(attributes)
    )


def note(name: str | None = None, *, failed: bool = False, **attributes: Any) -> None:
    """Add attributes, a name or a failure to the open span."""
    if _tracer is None:
        return
    current = _api.get_current_span()
    current.set_attributes(_dotted(attributes))
    if name is not None:
        current.update_name(name)
    if failed:
        current.set_status(_api.StatusCode.ERROR)


def record(name: str, parent: str | None, started: int, **attributes: Any) -> None:
    """Record a child of ``parent`` that began at ``started`` (``time.time_ns``) and ends now."""
    if _tracer is None or parent is None:
        return
    context = _carrier.extract({"traceparent": parent})
    made = _tracer.start_span(name, context, start_time=started, attributes=_dotted(attributes))
    made.end(time.time_ns())


def traceparent() -> str | None:
    """The open span as a W3C ``traceparent``; None if there is none."""
    return headers().get("traceparent")


def headers() -> Mapping[str, str]:
    """The HTTP headers that pass the open span to another server."""
    carried: dict[str, str] = {}
    if _tracer is not None:
        _carrier.inject(carried)
    return carried


def trace_id() -> str | None:
    """The id of the open span's trace, for log lines."""
    parent = traceparent()
    return parent.split("-")[1] if parent else None


def _dotted(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes under OpenTelemetry's names, our own with ``sluice.``; None is left out."""
    return {
        SEMANTIC_NAMES.get(name, f"sluice.{name}"): value
        for name, value in attributes.items()
        if value is not None
    }
