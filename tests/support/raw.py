"""Requests as bytes on a socket: what no HTTP library would send."""

from __future__ import annotations

import re
import socket
from typing import Any

from tests.support.stack import Stack

SUBMISSIONS = "/api/moderation/submissions"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def send(stack: Stack, data: bytes, *, leave: bool = False) -> bytes:
    """Everything that comes back until the connection ends; ``leave`` hangs up after sending."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        try:
            connection.sendall(data)
            if leave:
                connection.shutdown(socket.SHUT_WR)
        except OSError:  # it was refused before all was sent
            pass
        return _received(connection)


def _received(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def statuses(reply: bytes) -> list[int]:
    """The status of each reply in what came back."""
    return [int(found) for found in _STATUS_LINE.findall(reply)]


def post(key: str, body: bytes, *headers: str, path: str = SUBMISSIONS) -> bytes:
    """A POST with the client's key, its length and these headers, which may say otherwise."""
    names = {header.split(":")[0].lower() for header in headers}
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close"]
    lines.append(f"Authorization: Bearer {key}")
    if not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def part(name: str, value: bytes, **more: Any) -> bytes:
    """One part of a multipart body, after its boundary; ``filename`` and ``kind`` go along."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if "filename" in more:
        head += f'; filename="{more["filename"]}"'
    if "kind" in more:
        head += f"\r\nContent-Type: {more['kind']}"
    return head.encode() + b"\r\n\r\n" + value + b"\r\n"


def multipart(*parts: bytes, boundary: bytes = b"b", end: bytes = b"--b--\r\n") -> bytes:
    """A multipart body of these parts."""
    return b"".join(b"--" + boundary + b"\r\n" + each for each in parts) + end
