"""One call to a stranger's server, bounded in every way: where it goes, how long, how much.

Whatever the other end does, `post` is over after `DEADLINE` seconds: a timeout of the socket would
begin anew with every byte, so what is left of the time is set before each read and write.
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
from tasks.webhooks.resolve import Found, NotCalled, resolve

DEADLINE = 15.0  # seconds for the whole call, the look-up of the name included
CONNECT = 5.0  # seconds for one connection, its TLS included
HEAD_AT_MOST = 64 * 1024  # bytes up to the end of the headers, 1xx replies included
BODY_AT_MOST, LINGER = 16 * 1024, 2.0  # bytes and seconds; the status says it all before
PIECE = 16 * 1024
SAFE = "%/:=&?~#+!$,;'@()*[]"  # stays as it is in a path


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said: the status, and when it wants to be asked again."""

    status: int
    retry_after: str | None = None


class TooLarge(http.client.HTTPException):
    """Headers without an end."""


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Allowed) -> Answer:
    """Send a body and return the answer; raises NotCalled with the name of what went wrong.

    1. The name is looked up once, and the connection goes to an address that was checked.
    2. ``Host``, SNI and the certificate are the name's. Redirects are answers like others.
    3. The status counts as soon as the headers are complete; whatever the body does.
    """
    end = time.monotonic() + DEADLINE
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    found = resolve(host, allowed, min(CONNECT, DEADLINE))
    try:
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        line = kind(host, parts.port or kind.default_port)
        with closing(_connected(found, line.port, host if secure else None, end)) as wire:
            line.sock = wire
            return _exchange(line, wire, _path(parts.path, parts.query), body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotCalled(_name(error), str(error)) from error


def _exchange(
    line: http.client.HTTPConnection,
    wire: Wire,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    with suppress(BrokenPipeError):  # it may have answered before it heard all
        line.request("POST", path, body=body, headers=dict(headers))
    reply = line.getresponse()
    answer = Answer(reply.status, reply.getheader("retry-after"))
    wire.allow(BODY_AT_MOST, LINGER)
    with suppress(OSError, http.client.HTTPException, ValueError):
        reply.read(BODY_AT_MOST)  # so that it is not cut off while it still speaks
    return answer


class Wire(io.RawIOBase):
    """A connection that is read until a moment, and for so many bytes."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._sock, self._end, self._room = sock, end, HEAD_AT_MOST

    def allow(self, room: int, seconds: float) -> None:
        """Read so many more bytes, for so many seconds at most."""
        self._room, self._end = room, min(self._end, time.monotonic() + seconds)

    def makefile(self, *_: object) -> io.BufferedReader:
        """What `http.client` reads from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._room <= 0:
            raise TooLarge("its headers have no end")
        view = memoryview(buffer)[: self._room]
        self._sock.settimeout(_left(self._end))
        count = self._sock.recv_into(view)
        self._room -= count
        return count

    def sendall(self, data: bytes) -> None:
        """Send it in pieces: TLS would begin its timeout anew with each record."""
        for at in range(0, len(data), PIECE):
            self._sock.settimeout(_left(self._end))
            self._sock.sendall(data[at : at + PIECE])

    def close(self) -> None:
        """Hang up. The reader stays open: `http.client` flushes it after the wire is closed."""
        self._sock.close()


def _connected(found: list[Found], port: int, name: str | None, end: float) -> Wire:
    """A connection to the first address that takes one; with TLS for that name, if any."""
    for place, (family, address) in enumerate(found):
        try:
            return _connect(family, address, port, name, end)
        except OSError as error:
            if isinstance(error, ssl.SSLError) or place == len(found) - 1:
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
        raise TimeoutError("the time is up")
    return left


def _path(path: str, query: str) -> str:
    return quote((path or "/") + (f"?{query}" if query else ""), safe=SAFE)


def _name(error: Exception) -> str:
    """The outcome's name; the most particular kinds first."""
    for kinds, name in NAMES:
        if isinstance(error, kinds):
            return name
    return "garbled"


NAMES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((TimeoutError,), "timeout"),
    ((ssl.SSLError,), "tls"),
    ((TooLarge, http.client.LineTooLong), "too large"),
    ((http.client.RemoteDisconnected,), "no reply"),
    ((ConnectionRefusedError,), "refused"),
    ((ConnectionError,), "reset"),
    ((http.client.HTTPException, ValueError), "garbled"),
    ((OSError,), "unreachable"),
)
