"""The decoder's child process, from its start to its exit code."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.settings import ROOT
from tasks.images import decoder_protocol

log = logging.getLogger("sluice.decoder")
PROGRAM = ("tasks.images.decoder_process",)  # the module, and arguments before the memory limit
START_TIMEOUT = 20.0  # seconds for a child to start on a busy machine
PASSED = ("PATH", "LANG", "SLUICE_STACK", "VIRTUAL_ENV")  # environment variables
# One arena; blocks above 4 MB are returned to the system when they are freed.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
}
MAX_STDERR = 65_536  # bytes that a pipe holds
SHOWN_STDERR = 2000  # characters of it in the log


class DecoderDown(Exception):
    """The child cannot be started, or exits before it gets a picture."""


@dataclass
class Child:
    """A running child: its process, the socket to it, and what it writes to stderr.

    `unconfined` says what the kernel lacks to confine it, in words; empty if nothing. The child
    does not get the worker's stderr: it could write lines into the worker's log.
    """

    process: subprocess.Popen[bytes]
    sock: socket.socket
    errors: int  # the reading end of a pipe that blocks neither side
    unconfined: str = field(default="", init=False)

    def wait_until_ready(self, folder: Path) -> None:
        """Raises `DecoderDown` if it does not start; the child is ended then."""
        deadline = time.monotonic() + START_TIMEOUT
        try:
            fields, _ = decoder_protocol.receive_response(self.sock, 0, folder, deadline)
            self.unconfined = _lacking(fields)
        except (EOFError, OSError, decoder_protocol.WireError) as error:
            code, why = self.end()
            raise DecoderDown(
                f"The decoder does not start (exit code {code}). {why}".strip()
            ) from error

    def end(self) -> tuple[int, str]:
        """End it; returns its exit code as `subprocess` defines it, and what it wrote to stderr."""
        self.sock.close()
        try:
            # If it is crashing, wait for its own exit code.
            code = self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        written = b""
        with contextlib.suppress(BlockingIOError):
            written = os.read(self.errors, MAX_STDERR)
        os.close(self.errors)
        return code, decoder_protocol.printable(written.decode(errors="replace"))[-SHOWN_STDERR:]


def start(megabytes: int, folder: Path, program: Sequence[str] = PROGRAM) -> Child:
    """Start a child with a memory limit in MB, and wait until it is ready.

    It gets the socket as stdin, and no other descriptor of the worker. Raises `DecoderDown`.
    """
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", *program, str(megabytes)],
            cwd=ROOT,
            env={name: os.environ[name] for name in PASSED if name in os.environ} | MALLOC,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=writing,
        )
    except OSError as error:
        ours.close()
        os.close(reading)
        raise DecoderDown(f"The decoder cannot be started: {error}.") from error
    finally:
        theirs.close()
        os.close(writing)
    child = Child(process, ours, reading)
    child.wait_until_ready(folder)
    return child


def _lacking(fields: dict[str, Any]) -> str:
    confinement = fields.get("confinement") or {}
    return "; ".join(str(each) for each in confinement.get("missing", ["it was not asked for"]))
