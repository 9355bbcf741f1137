"""Traces: one trace from a request to its verdict and webhook, sent to a real receiver."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from models.errors import SettingError
from models.settings import ROOT, Settings
from tests.support.api import Api, eventually, unique
from tests.support.stack import Stack, free_port, running

TRACE, CALLER = uuid4().hex, uuid4().hex[:16]
OF_A_CLIENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


class Collector:
    """What spans it was sent, and the headers of webhook calls."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.calls: list[dict[str, str]] = []

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_plain(span, names) for span in scope.spans]

    def of(self, trace: str) -> dict[str, dict[str, Any]]:
        """The spans of a trace by their names."""
        return {span["name"]: span for span in self.spans if span["trace"] == trace}


def _plain(span: Any, resource: dict[str, str]) -> dict[str, Any]:
    values = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
    return {
        "name": span.name,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "from": span.start_time_unix_nano,
        "to": span.end_time_unix_nano,
        "attributes": values,
        "service": resource["service.name"],
        "process": resource["service.instance.id"],
    }


@contextmanager
def collecting(port: int) -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collector.take(body)
            else:
                collector.calls.append({k.lower(): v for k, v in self.headers.items()})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def traced(port: int) -> Iterator[Stack]:
    """A stack that traces; the collector runs only in tests that need it."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    settings |= {"OTEL_BSP_SCHEDULE_DELAY": "200"}
    with running(**settings) as stack:
        yield stack


def test_a_collector_that_is_down_does_no_harm(traced: Stack) -> None:
    api = Api(traced.url, traced.json("client", "create", "Alone", "--json")["key"])
    for _ in range(5):
        assert api.decided(unique("safe_rocket.jpg"))["verdict"] == "approved"


def test_one_trace_from_the_request_to_the_webhook(traced: Stack, port: int) -> None:
    hook = f"http://127.0.0.1:{port}/hook"
    client = traced.json("client", "create", "Traced", "--webhook", hook, "--json")
    api = Api(traced.url, client["key"])
    with collecting(port) as collector:
        reply = api.submit(unique("safe_rocket.jpg"), headers=OF_A_CLIENT)
        job_id = reply.json()["job_id"]
        wanted = {"POST /api/moderation/submissions", "receive", "limits", "enqueue", "moderate"}
        wanted |= {"ahead", "decode", "classify", "commit", "deliver"}
        eventually(lambda: wanted <= collector.of(TRACE).keys(), 60)
    spans = collector.of(TRACE)
    request, job = spans["POST /api/moderation/submissions"], spans["moderate"]
    assert request["parent"] == CALLER
    assert request["attributes"]["http.route"] == "/api/moderation/submissions"
    assert request["attributes"]["http.response.status_code"] == reply.status_code
    assert {spans[name]["parent"] for name in ("receive", "limits", "enqueue", "moderate")} == {
        request["id"]
    }
    assert {spans[name]["parent"] for name in ("ahead", "classify")} == {job["id"]}
    assert spans["decode"]["parent"] == spans["ahead"]["id"]
    commits = [s["parent"] for s in collector.spans if (s["name"], s["trace"]) == ("commit", TRACE)]
    assert sorted(commits) == sorted([request["id"], job["id"]])
    assert job["attributes"]["sluice.job_id"] == job_id
    assert job["attributes"]["sluice.verdict"] == "approved"
    assert spans["deliver"]["parent"] == request["id"]
    assert spans["deliver"]["attributes"]["sluice.outcome"] == "delivered"
    assert {span["service"] for span in spans.values()} == {"sluice"}
    assert len({span["process"] for span in spans.values()}) == 3  # web, worker, standby
    assert all(span["from"] <= span["to"] for span in spans.values())
    (call,) = collector.calls
    assert call["traceparent"].split("-")[1:3] == [TRACE, spans["deliver"]["id"]]
    text = (traced.home / "log" / "worker_00.log").read_text()
    assert f'"trace_id": "{TRACE}"' in text


def test_an_invalid_traceparent_starts_a_new_trace(traced: Stack, port: int) -> None:
    api = Api(traced.url, traced.json("client", "create", "Own", "--json")["key"])
    with collecting(port) as collector:
        for nonsense in ("00-zz-yy-01", "x" * 300, f"00-{'0' * 32}-{CALLER}-01"):
            assert api.submit(title="Chairs", headers={"traceparent": nonsense}).ok
        api.http.get(traced.url + "/healthz")

        def roots() -> list[dict[str, Any]]:
            return [s for s in collector.spans if s["name"].startswith("POST") and not s["parent"]]

        eventually(lambda: len(roots()) == 3)
        assert len({span["trace"] for span in roots()}) == 3
    assert not [span for span in collector.spans if "healthz" in span["name"]]


def test_nothing_is_imported_without_a_collector(stack: Stack) -> None:
    code = "import sys; from models.settings import Settings; from webapp.app import create_app;"
    code += "create_app(Settings.load());"
    # redis-py looks at OpenTelemetry's interfaces by itself where they are installed.
    code += "import tasks.worker; known = ('opentelemetry.exporter', 'opentelemetry.sdk.trace');"
    code += "print([name for name in sys.modules if name.startswith(known)])"
    environ = {**stack.env, "OTEL_EXPORTER_OTLP_ENDPOINT": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
    assert stack.sql("SELECT count(*) FROM submission WHERE traceparent IS NOT NULL") == [(0,)]


def test_a_missing_extra_is_one_clear_line() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None;"
    code += "from tasks.observability import logs, tracing;"
    code += "from models.settings import Settings; logs.start('text');"
    code += "s = Settings(otel_exporter_otlp_endpoint='http://127.0.0.1:9'); "
    code += "assert not tracing.start(s, 'x') and not tracing.active()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.count("\n") == 1
    assert "'otel' is not installed" in done.stderr and "_install.py otel" in done.stderr


def test_an_invalid_address_is_reported() -> None:
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        Settings(otel_exporter_otlp_endpoint="collector:4318")
