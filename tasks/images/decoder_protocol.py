"""The protocol between a worker and its decoder: JSON, then raw bytes, over a Unix socket.

Never pickle: data from a process that reads hostile files must not be able to execute code.
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
MAX_REQUEST = 65_536  # bytes; small enough to arrive in one piece with its file
IN_MEMORY = 8 * 1024 * 1024  # bytes; a larger response goes to a temporary file
Blob = bytes | bytearray


class WireError(Exception):
    """The other end sent an invalid message."""


def send_request(sock: socket.socket, request: dict[str, Any], file: int) -> None:
    """Send a request with an open file; raises OSError."""
    socket.send_fds(sock, [json.dumps(request).encode()], [file])


def receive_request(sock: socket.socket) -> tuple[dict[str, Any], int] | None:
    """The next request and its file, or None if the worker has closed the socket.

    The worker waits for the response before its next request, so one message is one request.
    """
    data, files, _, _ = socket.recv_fds(sock, MAX_REQUEST, 1)
    return (json.loads(data), files[0]) if data else None


def send_response(sock: socket.socket, fields: dict[str, Any], blobs: Sequence[Blob] = ()) -> None:
    """Send a response; raises OSError."""
    header = json.dumps({**fields, "blobs": [len(blob) for blob in blobs]}).encode()
    sock.sendall(_LENGTH.pack(len(header)) + header)
    for blob in blobs:
        sock.sendall(blob)


class Spooled(Sequence[Blob]):
    """Blobs in an unnamed temporary file, so that they need no memory."""

    def __init__(self, sock: socket.socket, sizes: list[int], folder: Path) -> None:
        self._sizes = sizes
        self._starts = [0, *accumulate(sizes)]
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with this object
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


def receive_response(
    sock: socket.socket, most: int, folder: Path
) -> tuple[dict[str, Any], Sequence[Blob]]:
    """The response, with blobs of at most `most` bytes in all; large ones are spooled in `folder`.

    Raises EOFError if the other end has closed, TimeoutError, OSError and WireError.
    """
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    if length > MAX_HEADER:
        raise WireError(f"the header has {length} bytes")
    try:
        fields = json.loads(_exactly(sock, length))
        sizes = [int(size) for size in fields.pop("blobs")]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise WireError(f"the header is invalid: {error}") from error
    if min(sizes, default=0) < 0 or sum(sizes) > most:
        raise WireError(f"the blobs have {sum(sizes)} bytes, at most {most} are allowed")
    if sum(sizes) > IN_MEMORY:
        return fields, Spooled(sock, sizes, folder)
    return fields, [_exactly(sock, size) for size in sizes]


def _exactly(sock: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        got = sock.recv_into(view[at:])
        if not got:
            raise EOFError
        at += got
    return data
