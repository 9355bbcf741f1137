"""The load generator of `scripts/bench`: prebuilt requests over raw keep-alive connections.

An HTTP library would take as long as the server under test. Here a request is a few joined byte
strings and one `sendall`, in one thread per connection, mostly outside the GIL.
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from PIL import Image

BOUNDARY = "sluice-bench-0123456789"
AUTHORS = 1000
PATIENCE = 30.0  # seconds for one response
PICTURE_BYTES = 100 * 1024
MARK = 16  # bytes of the comment that makes a picture unique

Maker = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """One response: its status, the seconds it took, its ``Server-Timing`` and its body."""

    status: int
    seconds: float
    timing: str
    body: bytes = b""

    def span(self, name: str) -> float:
        """Milliseconds of one span of ``Server-Timing``; 0 if missing."""
        found = re.search(rf"(?:^|[ ,]){name};dur=([\d.]+)", self.timing)
        return float(found[1]) if found else 0.0


@dataclass
class Run:
    """The results of several requests; ``seconds`` is their total wall time."""

    replies: list[Reply] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Responses with 200 or 202 per second."""
        return sum(reply.status in (200, 202) for reply in self.replies) / self.seconds

    def require_success(self) -> Run:
        """This run; raises RuntimeError if any response is not 200 or 202."""
        odd = Counter(str(reply.status) for reply in self.replies)
        odd.update(self.errors)
        odd.pop("200", None), odd.pop("202", None)
        if odd:
            raise RuntimeError(f"unexpected answers: {dict(odd)}")
        return self


def drive(port: int, make: Maker, *, count: int, connections: int) -> Run:
    """Send ``count`` requests to 127.0.0.1, one at a time on each connection."""
    run = Run()
    turns = iter(range(count))
    threads = [
        threading.Thread(target=_converse, args=(port, make, turns, run), daemon=True)
        for _ in range(min(connections, count))
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.seconds = time.perf_counter() - started
    return run


def _converse(port: int, make: Maker, turns: Iterator[int], run: Run) -> None:
    """One connection's requests; ``next`` on a range and ``append`` are atomic under the GIL."""
    line = None
    for _ in turns:
        try:
            line = line or BenchConnection(port)
            run.replies.append(line.ask(make()))
        except OSError as error:
            run.errors.append(type(error).__name__)
            line = None
            continue
        if line.ended:
            line = None


class BenchConnection:
    """A keep-alive connection to nginx."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ended = False

    def ask(self, request: bytes) -> Reply:
        """Send a request and read the whole response; raises OSError."""
        started = time.perf_counter()
        self._socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._some()
        head = received[:end].decode("latin-1")
        length = int(_header(head, "content-length") or 0)
        body = received[end + 4 :]
        while len(body) < length:
            body += self._some()
        seconds = time.perf_counter() - started
        if _header(head, "connection").lower() == "close":
            self._socket.close()
            self.ended = True
        return Reply(int(head[9:12]), seconds, _header(head, "server-timing"), body)

    def _some(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("nginx closed the connection")
        return data


def _header(head: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(.*?)\r?$", head, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""


def picture_file(path: Path, source: Path) -> Path:
    """A JPEG of about 100 KB made of another picture, written to ``path``."""
    with Image.open(source) as opened:
        image = opened.convert("RGB").resize((800, 800))
    for quality in range(95, 20, -1):
        target = BytesIO()
        image.save(target, "JPEG", quality=quality)
        if target.tell() <= PICTURE_BYTES:
            break
    path.write_bytes(target.getvalue())
    return path


def unique(jpeg: bytes, number: int) -> bytes:
    """The same picture with different bytes: a JPEG comment with a number."""
    mark = f"{number:0{MARK}x}".encode()[-MARK:]
    return jpeg[:2] + b"\xff\xfe" + (MARK + 2).to_bytes(2, "big") + mark + jpeg[2:]


def upload(key: str, *, text: str = "", jpeg: bytes | None = None, times: int = 1) -> Maker:
    """Returns a function that makes multipart uploads, by a thousand authors in turn.

    Each picture has new bytes; with ``times``, the same bytes that many times in a row.
    """
    numbers = itertools.count()
    first = time.time_ns()

    def make() -> bytes:
        number = next(numbers)
        author = number % AUTHORS
        fields = {"user_id": f"bench-{author}", "user_ip": f"10.0.{author // 250}.{author % 250}"}
        if text:
            fields |= {"title": f"Upload {number}", "description": text}
        return post(key, fields, unique(jpeg, first + number // times) if jpeg else None)

    return make


def image_body(key: str, jpeg: bytes) -> Maker:
    """Returns a function that makes uploads with the picture as body, by a thousand authors."""
    numbers = itertools.count()
    first = time.time_ns()

    def make() -> bytes:
        number = next(numbers)
        author = number % AUTHORS
        fields = f"user_id=bench-{author}&user_ip=10.0.{author // 250}.{author % 250}"
        return _request(
            key, f"submissions/image?{fields}", "image/jpeg", unique(jpeg, first + number)
        )

    return make


def detection(key: str, jpeg: bytes) -> Maker:
    """Returns a function that makes requests for the score of a picture, each with new bytes."""
    numbers = itertools.count(time.time_ns())
    return lambda: post(key, {}, unique(jpeg, next(numbers)), "detect")


def get(path: str, headers: dict[str, str]) -> bytes:
    """The bytes of a GET request."""
    reported = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{reported}\r\n".encode()


def post(key: str, fields: dict[str, str], jpeg: bytes | None, call: str = "submissions") -> bytes:
    """The bytes of one multipart upload, including headers."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{quote(name)}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    if jpeg:
        parts.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
    body = b"".join(("".join(parts).encode(), jpeg or b"", f"\r\n--{BOUNDARY}--\r\n".encode()))
    return _request(key, call, f"multipart/form-data; boundary={BOUNDARY}", body)


def _request(key: str, call: str, kind: str, body: bytes) -> bytes:
    head = (
        f"POST /api/moderation/{call} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
