"""Traces for OpenTelemetry, from the request to the verdict and the webhook's call.

Off, and nothing of it imported, until OTEL_EXPORTER_OTLP_ENDPOINT names a collector. Spans are sent
by a thread of their own from a bounded queue: where the collector is away they are dropped, and
nobody waits. A submission's row carries the trace that it is part of (W3C ``traceparent``), so that
a worker goes on with it whichever road the job came by.
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

LAST_WORDS = 2.0  # seconds that the end of a process waits for its last spans
MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the extra 'otel' is not installed: no trace is sent."
    " Run python3 scripts/_install.py otel, then scripts/down and scripts/up"
)
KNOWN = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
}
log = logging.getLogger("sluice.tracing")
_nothing: AbstractContextManager[None] = nullcontext()
_tracer: Any = None
_api: Any = None  # opentelemetry.trace
_carrier: Any = None  # reads and writes traceparent


def lacks(settings: Settings) -> bool:
    """Whether traces are wanted and cannot be sent, since the extra is not installed."""
    wanted = bool(settings.otel_exporter_otlp_endpoint)
    return wanted and importlib.util.find_spec("opentelemetry") is None


def start(settings: Settings, service: str) -> bool:
    """Trace this process from now on, where a collector is named; whether it does."""
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
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # it warns at each new try
    named = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME", "sluice"),
        "service.instance.id": f"{socket.gethostname()}/{service}",
    }
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(_traces(settings.otel_exporter_otlp_endpoint))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    atexit.register(_end, provider)
    _api, _carrier = trace, TraceContextTextMapPropagator()
    _tracer = provider.get_tracer("sluice")
    return True


def _traces(endpoint: str) -> str:
    """Where the collector takes spans; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says it whole."""
    whole = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    return whole or f"{endpoint.rstrip('/')}/v1/traces"


def _end(provider: Any) -> None:
    """Send what is left; a collector that is away holds nobody up."""
    ending = threading.Thread(target=provider.shutdown, daemon=True)
    ending.start()
    ending.join(LAST_WORDS)


def active() -> bool:
    """Whether this process traces."""
    return _tracer is not None


def span(
    name: str, parent: str | None = None, *, kind: str = "INTERNAL", **attributes: Any
) -> AbstractContextManager[Any]:
    """A span around the block: below the one that is open, or below ``parent``, a traceparent."""
    if _tracer is None:
        return _nothing
    context = _carrier.extract({"traceparent": parent}) if parent else None
    return _tracer.start_as_current_span(
        name, context, kind=_api.SpanKind[kind], attributes=_dotted(attributes)
    )


def note(name: str | None = None, *, failed: bool = False, **attributes: Any) -> None:
    """What is known of the open span only now."""
    if _tracer is None:
        return
    current = _api.get_current_span()
    current.set_attributes(_dotted(attributes))
    if name is not None:
        current.update_name(name)
    if failed:
        current.set_status(_api.StatusCode.ERROR)


def record(name: str, parent: str | None, started: int, **attributes: Any) -> None:
    """A span that has just ended and began at ``started`` (``time.time_ns``), below ``parent``."""
    if _tracer is None or parent is None:
        return
    context = _carrier.extract({"traceparent": parent})
    made = _tracer.start_span(name, context, start_time=started, attributes=_dotted(attributes))
    made.end(time.time_ns())


def traceparent() -> str | None:
    """The open span as others may go on from it; None where there is none."""
    return headers().get("traceparent")


def headers() -> Mapping[str, str]:
    """What tells another server of the open span."""
    told: dict[str, str] = {}
    if _tracer is not None:
        _carrier.inject(told)
    return told


def trace_id() -> str | None:
    """The open span's trace, for log lines."""
    told = traceparent()
    return told.split("-")[1] if told else None


def _dotted(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Names as OpenTelemetry has them, ours below ``sluice``; what is None is left out."""
    return {
        KNOWN.get(name, f"sluice.{name}"): value
        for name, value in attributes.items()
        if value is not None
    }
