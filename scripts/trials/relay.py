"""A TCP relay in front of a server that can lose every packet, as a broken network does.

While it drops, it forwards nothing in either direction and closes nothing, and a new connection is
opened by the kernel but never answered.
"""

from __future__ import annotations

import contextlib
import socket
import threading

CHUNK = 64 * 1024


class Relay:
    """Listens on ``port`` of loopback and forwards each connection to ``target``."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._passing = threading.Event()
        self._passing.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> None:
        """Lose every packet from now on."""
        self._passing.clear()

    def forward(self) -> None:
        """Forward again, beginning with what was held back."""
        self._passing.set()

    def close(self) -> None:
        """Accept no further connections; the threads end with their connections."""
        self._passing.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                self._passing.wait()
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                if self._listener.fileno() < 0:
                    return
                continue
            server.settimeout(None)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._passing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
