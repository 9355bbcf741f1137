"""The webhook receivers of `scripts/faults`: they record calls and misbehave on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One call that arrived; ``at`` is Unix seconds."""

    webhook_id: str
    event: str
    job_id: str
    at: float


class Receiver:
    """An HTTP server on loopback; ``behave`` returns the status of each response."""

    def __init__(self, behave: Callable[[Call], int] = lambda call: 204) -> None:
        self.calls: list[Call] = []
        self.behave = behave
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

    def ids(self, event: str = "submission.decided") -> dict[str, set[str]]:
        """The webhook ids that arrived for each job."""
        found: dict[str, set[str]] = {}
        for call in list(self.calls):
            if call.event == event:
                found.setdefault(call.job_id, set()).add(call.webhook_id)
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: a caller may be killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        job = str(body.get("data", {}).get("job_id"))
        call = Call(self.headers["webhook-id"], str(body.get("type")), job, time.time())
        receiver = self.server.receiver
        receiver.calls.append(call)
        try:
            self.send_response(receiver.behave(call))
            self.send_header("content-length", "0")
            self.end_headers()
        except OSError:  # the sender has died, which may be the fault under test
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""
