"""How a worker and its decoder speak: JSON, then raw bytes, over a Unix socket.

Never pickle: what comes from a process that reads hostile files must not be able to run anything.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

_LENGTH = struct.Struct("<I")
MAX_HEADER = 4 * 1024 * 1024  # bytes of JSON; 20,000 frames' numbers take 140,000
MAX_REQUEST = 65_536  # bytes; one datagram's worth, so that it comes whole with its file
IN_MEMORY = 8 * 1024 * 1024  # bytes of an answer that a worker holds, one of five pictures
Blob = bytes | bytearray


class WireError(Exception):
    """The other end said what it must not."""


def ask(sock: socket.socket, request: dict[str, Any], file: int) -> None:
    """Send a request and an open file along with it; raises OSError."""
    socket.send_fds(sock, [json.dumps(request).encode()], [file])


def asked(sock: socket.socket) -> tuple[dict[str, Any], int] | None:
    """The next request and its file, or None when the asker has gone.

    An asker waits for the answer before it asks again, so one message is one request.
    """
    data, files, _, _ = socket.recv_fds(sock, MAX_REQUEST, 1)
    return (json.loads(data), files[0]) if data else None


def answer(sock: socket.socket, told: dict[str, Any], blobs: Sequence[Blob] = ()) -> None:
    """Send an answer; raises OSError."""
    header = json.dumps({**told, "blobs": [len(blob) for blob in blobs]}).encode()
    sock.sendall(_LENGTH.pack(len(header)) + header)
    for blob in blobs:
        sock.sendall(blob)


class Spooled(Sequence[Blob]):
    """Blobs that lie in a file without a name, so that the system may take their memory back."""

    def __init__(self, sock: socket.socket, sizes: list[int], folder: Path) -> None:
        self._sizes = sizes
        self._starts = [0, *accumulate(sizes)]
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with its owner
        for size in sizes:
            self._file.write(_exactly(sock, size))
        self._file.flush()

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, at: int) -> Blob: ...
    @overload
    def __getitem__(self, at: slice) -> list[Blob]: ...
    def __getitem__(self, at: int | slice) -> Blob | list[Blob]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        return os.pread(self._file.fileno(), self._sizes[at], self._starts[at])


def heard(sock: socket.socket, most: int, folder: Path) -> tuple[dict[str, Any], Sequence[Blob]]:
    """The answer, its blobs no longer than `most` bytes in all; many of them lie in `folder`.

    Raises EOFError where the other end has gone, TimeoutError, OSError and WireError.
    """
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    if length > MAX_HEADER:
        raise WireError(f"a header of {length} bytes")
    try:
        told = json.loads(_exactly(sock, length))
        sizes = [int(size) for size in told.pop("blobs")]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise WireError(f"a header that is none: {error}") from error
    if min(sizes, default=0) < 0 or sum(sizes) > most:
        raise WireError(f"{sum(sizes)} bytes where {most} are the most")
    if sum(sizes) > IN_MEMORY:
        return told, Spooled(sock, sizes, folder)
    return told, [_exactly(sock, size) for size in sizes]


def _exactly(sock: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        got = sock.recv_into(view[at:])
        if not got:
            raise EOFError
        at += got
    return data
