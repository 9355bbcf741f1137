"""One HTTP call to an untrusted server, with bounds on its address, its time and its size.

`post` ends after `DEADLINE` seconds whatever the server does. A socket's timeout restarts with
every byte, so the remaining time is set before each read and write.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

from models.settings.allowed_hosts import Allowed
from tasks.webhooks.resolve import Address, CallFailed, resolve

DEADLINE = 15.0  # seconds for the whole call with the DNS lookup
CONNECT = 5.0  # seconds for one connection with TLS
MAX_HEAD = 64 * 1024  # bytes up to the end of the headers, with 1xx responses
MAX_BODY, LINGER = 16 * 1024, 2.0  # bytes and seconds; the status is known before
CHUNK = 16 * 1024
SAFE = "%/:=&?~#+!$,;'@()*[]"  # characters that stay unquoted in a path


@dataclass(frozen=True, slots=True)
class Response:
    """The receiver's status and its ``Retry-After``."""

    status: int
    retry_after: str | None = None


class HeadersTooLarge(http.client.HTTPException):
    """The headers exceed ``MAX_HEAD``."""


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Allowed) -> Response:
    """Send a body and return the response; raises CallFailed with the name of the failure.

    1. The name is looked up once, and the connection goes to an address that was checked.
    2. ``Host``, SNI and the certificate use the name. Redirects are not followed.
    3. The status counts as soon as the headers are complete, whatever the body does.
    """
    end = time.monotonic() + DEADLINE
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    addresses = resolve(host, allowed, min(CONNECT, DEADLINE))
    try:
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        http_connection = kind(host, parts.port or kind.default_port)
        with closing(
            _connected(addresses, http_connection.port, host if secure else None, end)
        ) as wire:
            http_connection.sock = wire
            return _exchange(http_connection, wire, _path(parts.path, parts.query), body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CallFailed(_name(error), str(error)) from error


def _exchange(
    http_connection: http.client.HTTPConnection,
    wire: Wire,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
) -> Response:
    with suppress(BrokenPipeError):  # it may respond before it has read the body
        http_connection.request("POST", path, body=body, headers=dict(headers))
    reply = http_connection.getresponse()
    response = Response(reply.status, reply.getheader("retry-after"))
    wire.allow(MAX_BODY, LINGER)
    with suppress(OSError, http.client.HTTPException, ValueError):
        reply.read(MAX_BODY)  # so that the connection is not reset while the server sends
    return response


class Wire(io.RawIOBase):
    """A connection that can be read until a deadline, and up to a number of bytes."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._sock, self._end, self._room = sock, end, MAX_HEAD

    def allow(self, room: int, seconds: float) -> None:
        """Allow this many more bytes, for at most this many seconds."""
        self._room, self._end = room, min(self._end, time.monotonic() + seconds)

    def makefile(self, *_: object) -> io.BufferedReader:
        """The file that `http.client` reads from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._room <= 0:
            raise HeadersTooLarge("the headers are too large")
        view = memoryview(buffer)[: self._room]
        self._sock.settimeout(_left(self._end))
        count = self._sock.recv_into(view)
        self._room -= count
        return count

    def sendall(self, data: bytes) -> None:
        """Send in chunks: TLS would restart its timeout with each record."""
        for at in range(0, len(data), CHUNK):
            self._sock.settimeout(_left(self._end))
            self._sock.sendall(data[at : at + CHUNK])

    def close(self) -> None:
        """Close the socket. The reader stays open: `http.client` flushes it after that."""
        self._sock.close()


def _connected(addresses: list[Address], port: int, name: str | None, end: float) -> Wire:
    """A connection to the first address that accepts one; with TLS if a name is given."""
    for number, (family, address) in enumerate(addresses):
        try:
            return _connect(family, address, port, name, end)
        except OSError as error:
            if isinstance(error, ssl.SSLError) or number == len(addresses) - 1:
                raise
    raise OSError("no address")


def _connect(
    family: socket.AddressFamily, address: str, port: int, name: str | None, end: float
) -> Wire:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        until = min(end, time.monotonic() + CONNECT)
        sock.settimeout(_left(until))
        sock.connect((address, port))
        if name is not None:
            sock.settimeout(_left(until))
            sock = _tls().wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise
    return Wire(sock, end)


@cache
def _tls() -> ssl.SSLContext:
    """The system's certificates, or those that SSL_CERT_FILE names."""
    return ssl.create_default_context()


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _path(path: str, query: str) -> str:
    return quote((path or "/") + (f"?{query}" if query else ""), safe=SAFE)


def _name(error: Exception) -> str:
    """The name of the failure; ``NAMES`` has the most specific types first."""
    for kinds, name in NAMES:
        if isinstance(error, kinds):
            return name
    return "garbled"


NAMES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((TimeoutError,), "timeout"),
    ((ssl.SSLError,), "tls"),
    ((HeadersTooLarge, http.client.LineTooLong), "too large"),
    ((http.client.RemoteDisconnected,), "no reply"),
    ((ConnectionRefusedError,), "refused"),
    ((ConnectionError,), "reset"),
    ((http.client.HTTPException, ValueError), "garbled"),
    ((OSError,), "unreachable"),
)
