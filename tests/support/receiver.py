"""A client's webhook, as a real server that also misbehaves: ``receiver.at("slow-headers")``.

The path of the address chooses the way in which a call is answered; each call that could be read is
kept in ``calls``, before it is answered.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = b"content-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """What one call brought."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.body)


class Receiver(socketserver.ThreadingTCPServer):
    """Answers ``status`` with ``headers`` at ``url``; holds its answer while ``free`` is unset."""

    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Connection)
        self.tls, self.status, self.headers = tls, 200, {}
        self.calls: list[Call] = []
        self.names: list[str | None] = []  # that TLS asked for
        self.free = threading.Event()
        self.free.set()
        self.port = self.server_address[1]
        self.origin = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.url = self.at("hook")
        if tls:
            tls.sni_callback = lambda _sock, name, _context: self.names.append(name)

    def at(self, way: str) -> str:
        """The address that answers in that way, one of ``WAYS``."""
        return f"{self.origin}/{way}"

    @property
    def ids(self) -> list[str]:
        return [call.id for call in self.calls]

    def answer(self, call: Call, sock: socket.socket) -> None:
        """As the path says; at ``/hook`` as the test says."""
        way = WAYS.get(call.path.strip("/").partition("?")[0])
        if way is not None:
            way(sock)
            return
        self.free.wait(30)
        lines = [f"HTTP/1.1 {self.status} As told", "content-length: 0"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        sock.sendall("\r\n".join([*lines, "", ""]).encode())

    def handle_error(self, *_: object) -> None:
        """A caller that hangs up is no news."""


class _Connection(socketserver.BaseRequestHandler):
    server: Receiver

    def handle(self) -> None:
        sock = self.request
        sock.settimeout(30)
        if self.server.tls:
            sock = self.server.tls.wrap_socket(sock, server_side=True)
        with contextlib.closing(sock):
            call = _read(sock)
            if call:
                self.server.calls.append(call)
                self.server.answer(call, sock)


def _read(sock: socket.socket) -> Call | None:
    with sock.makefile("rb") as file:
        first = file.readline().split()
        headers = {}
        while line := file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if len(first) < 2:
            return None
        return Call(first[1].decode(), headers, file.read(int(headers.get("content-length", 0))))


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver that listens inside the block."""
    with Receiver(tls, host) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.free.set()
        server.shutdown()


def _trickle(data: bytes) -> Callable[[socket.socket], None]:
    """A byte a second, for ever."""

    def way(sock: socket.socket) -> None:
        for byte in itertools.cycle(data):
            sock.sendall(bytes([byte]))
            time.sleep(1)

    return way


def _says(data: bytes) -> Callable[[socket.socket], None]:
    return lambda sock: sock.sendall(data)


def _flood(head: bytes, again: bytes) -> Callable[[socket.socket], None]:
    """As much as the caller takes."""

    def way(sock: socket.socket) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(again)

    return way


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _slow_body(sock: socket.socket) -> None:
    sock.sendall(OK + b"content-length: 1000\r\n\r\n")
    _trickle(b"x")(sock)


def _broken_body(sock: socket.socket) -> None:
    sock.sendall(OK + b"content-length: 1000\r\n\r\nhalf")
    _reset(sock)


WAYS: dict[str, Callable[[socket.socket], None]] = {
    "silent": lambda sock: bool(sock.recv(1)),  # until the caller hangs up
    "slow-headers": _trickle(OK + b"x-slow: " + b"s" * 200),
    "slow-hints": _trickle(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "slow-body": _slow_body,
    "endless-body": _flood(OK + b"\r\n", b"x" * 65536),
    "endless-headers": _flood(OK, b"x-more: " + b"m" * 1000 + b"\r\n"),
    "endless-line": _flood(OK + b"x-long: ", b"l" * 4096),
    "hints": _flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "redirect": _says(b"HTTP/1.1 302 Found\r\nlocation: /hook\r\n" + EMPTY),
    "moved": _says(b"HTTP/1.1 308 Moved\r\nlocation: /hook\r\n" + EMPTY),
    "reset": _reset,
    "no-reply": lambda _sock: None,
    "half-headers": _says(OK + b"x-ha"),
    "garbage": _says(b"\x00\xff\xfe\x80" * 200 + b"\r\n\r\n"),
    "http-0.9": _says(b"<html>it worked</html>\n"),
    "bad-status": _says(b"HTTP/1.1 abc OK\r\n" + EMPTY),
    "broken-body": _broken_body,
    "gzip-bomb": _flood(
        OK + b"content-encoding: gzip\r\n\r\n", gzip.compress(bytes(20_000_000), 9)
    ),
    "gone": _says(b"HTTP/1.1 410 Gone\r\n" + EMPTY),
}
