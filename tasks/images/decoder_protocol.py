"""The protocol between a worker and its decoder: JSON, then raw bytes, over a Unix socket.

Never pickle: data from a process that reads hostile files must not be able to execute code. The
worker reads with plain `recv`, so the kernel drops descriptors that a child sends to it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import tempfile
import time
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

_LENGTH = struct.Struct("<I")
MAX_HEADER = 1024 * 1024  # bytes of JSON; 20,000 frames' numbers take 140,000
MAX_BLOBS = 20_000
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

    def __init__(
        self, sock: socket.socket, sizes: list[int], folder: Path, deadline: float
    ) -> None:
        self.sizes = sizes
        self._starts = [0, *accumulate(sizes)]
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with this object
        for size in sizes:
            self._file.write(_exactly(sock, size, deadline))
        self._file.flush()

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, at: int) -> Blob: ...
    @overload
    def __getitem__(self, at: slice) -> list[Blob]: ...
    def __getitem__(self, at: int | slice) -> Blob | list[Blob]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        return os.pread(self._file.fileno(), self.sizes[at], self._starts[at])


def sizes_of(blobs: Sequence[Blob]) -> list[int]:
    """The bytes of each blob."""
    return blobs.sizes if isinstance(blobs, Spooled) else [len(blob) for blob in blobs]


def receive_response(
    sock: socket.socket, most: int, folder: Path, deadline: float
) -> tuple[dict[str, Any], Sequence[Blob]]:
    """The response, with blobs of at most `most` bytes in all; large ones are spooled in `folder`.

    It must be complete at `deadline` (of the monotonic clock), even if single bytes arrive until
    then. Raises EOFError if the other end has closed, TimeoutError, OSError and WireError.
    """
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size, deadline))
    if length > MAX_HEADER:
        raise WireError(f"the header has {length} bytes")
    fields, sizes = _parsed(_exactly(sock, length, deadline))
    if len(sizes) > MAX_BLOBS or sum(sizes) > most:
        raise WireError(f"{len(sizes)} blobs have {sum(sizes)} bytes, at most {most} are allowed")
    if sum(sizes) > IN_MEMORY:
        return fields, Spooled(sock, sizes, folder, deadline)
    return fields, [_exactly(sock, size, deadline) for size in sizes]


def _parsed(header: bytes | bytearray) -> tuple[dict[str, Any], list[int]]:
    """The fields of a header, and the sizes of its blobs; raises WireError."""
    try:
        fields = json.loads(header, parse_constant=_refuse)
        sizes = fields.pop("blobs")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise WireError(f"the header is invalid: {printable(str(error)[:200])}") from error
    if not isinstance(sizes, list) or any(type(size) is not int or size < 0 for size in sizes):
        raise WireError("the sizes of the blobs are invalid")
    return fields, sizes


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def printable(text: str) -> str:
    """The text without control characters, lone surrogates and line breaks."""
    return "".join(each if each.isprintable() else " " for each in text)


def _exactly(sock: socket.socket, size: int, deadline: float) -> bytearray:
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        got = sock.recv_into(view[at:])
        if not got:
            raise EOFError
        at += got
    return data
