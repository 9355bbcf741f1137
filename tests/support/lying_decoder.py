"""A decoder that a picture has taken over: ``python -m tests.support.lying_decoder LIE MEGABYTES``.

It is ready like the decoder's child, and answers each request with one of `LIES`.
"""

from __future__ import annotations

import array
import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

VIEW = 256 * 256 * 3
HONEST: dict[str, Any] = {
    **{"format": "PNG", "width": 8, "height": 8, "frames": 1, "sampled": [0], "views": [0]},
    **{"grey": [8, 8], "notes": [], "doubts": []},
}
Lie = Callable[[socket.socket], None]


def message(fields: Any, *blobs: bytes) -> bytes:
    """A response in the protocol's form."""
    header = json.dumps({**fields, "blobs": [len(blob) for blob in blobs]}).encode()
    return framed(header, *blobs)


def framed(header: bytes, *blobs: bytes) -> bytes:
    """These bytes as a header, and the blobs."""
    return struct.pack("<I", len(header)) + header + b"".join(blobs)


def picture(**changes: Any) -> Lie:
    """An honest response but for these fields."""
    return lambda sock: sock.sendall(message(HONEST | changes, bytes(64), bytes(VIEW)))


def raw(header: bytes, *blobs: bytes) -> Lie:
    """A response with this header."""
    return lambda sock: sock.sendall(framed(header, *blobs))


def thumbnail(frames: list[Any], data: bytes) -> Lie:
    """A thumbnail of each of these frames."""
    return lambda sock: sock.sendall(message({"frames": frames}, *[data] * len(frames)))


def drip(sock: socket.socket) -> None:
    """One byte every tenth of a second: no single wait is long."""
    for byte in message(HONEST, bytes(64), bytes(VIEW)):
        sock.sendall(bytes([byte]))
        time.sleep(0.1)


def with_descriptors(sock: socket.socket) -> None:
    """An honest response with descriptors beside it."""
    data = message(HONEST, bytes(64), bytes(VIEW))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2] * 80))]
    sock.sendmsg([data[:1]], rights)
    sock.sendall(data[1:])


LIES: dict[str, Lie] = {
    "nothing of JSON": raw(b"\xff\xfe" * 40),
    "a list": raw(b"[]"),
    "deep": raw(b"[" * 900_000),
    "no blobs": raw(b"{}"),
    "blobs of another type": raw(b'{"blobs": "12"}'),
    "infinite blobs": raw(b'{"blobs": [Infinity]}'),
    "blobs that are not whole": raw(b'{"blobs": [1e300]}'),
    "blobs below 0": raw(b'{"blobs": [-5, 5]}', b"12345"),
    "too many blobs": raw(b'{"blobs": [' + b"0," * 400_000 + b"0]}"),
    "blobs of a terabyte": raw(b'{"blobs": [1099511627776]}'),
    "a header of 4 GB": lambda sock: sock.sendall(b"\xff\xff\xff\xff"),
    "an unknown code": lambda sock: sock.sendall(message({"code": "approved", "problem": "x"})),
    "a code of another type": lambda sock: sock.sendall(message({"code": ["x"], "problem": 1})),
    "a code without a problem": lambda sock: sock.sendall(message({"code": "unreadable"})),
    "another field": picture(verdict="approved"),
    "a width of another type": picture(width="8"),
    "a width that is true": picture(width=True),
    "a width below 0": picture(width=-8),
    "a width of 40 digits": picture(width=10**40),
    "no width": picture(width=None),
    "an unknown format": picture(format="SVG"),
    "frames beyond the database": picture(frames=2**31),
    "a note of another type": picture(notes=[{"a": 1}]),
    "notes without end": picture(doubts=["x"] * 5000),
    "a view of no frame": picture(views=[7]),
    "a view of another type": picture(views=["0"]),
    "views without blobs": picture(views=[0, 0]),
    "no view": picture(views=[]),
    "a grey picture of another size": picture(grey=[8, 9]),
    "a grey picture of a terabyte": picture(grey=[2**30, 2**30]),
    "a grey picture below 0": picture(grey=[-8, -8]),
    "a grey picture of three sides": picture(grey=[8, 8, 1]),
    "views too short": lambda sock: sock.sendall(message(HONEST, bytes(64), bytes(5))),
    "drip": drip,
    "control characters": picture(notes=["a\r\n\x00\x1b[2J\ud800b"]),
    "with descriptors": with_descriptors,
    "a page as a thumbnail": thumbnail([0], b"<html><script>"),
    "a frame that was not requested": thumbnail([7], b"RIFF\0\0\0\0WEBP"),
    "a frame that is no number": thumbnail([[0]], b"RIFF\0\0\0\0WEBP"),
    "a thumbnail twice": thumbnail([0, 0], b"RIFF\0\0\0\0WEBP"),
}


def main() -> None:
    """Lie until the worker closes the socket."""
    sock = socket.socket(fileno=0)
    sock.sendall(message({"ready": True, "confinement": {"missing": []}}))
    while sock.recv(65_536):
        LIES[sys.argv[1]](sock)


if __name__ == "__main__":
    main()
