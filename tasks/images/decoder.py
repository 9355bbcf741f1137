"""Containment: pictures are decoded in a child process of the worker, which may crash.

The child is a new process, not a fork of the worker: it inherits no database connection, no secret
and no lock of a thread. Without numpy it takes 13 MB. It gets an open file and returns small views;
the original's pixels are never transferred. Starting a new child takes 60 ms.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, overload

from PIL import Image

from models.settings import ROOT, Settings
from tasks.images import decoder_protocol
from tasks.images.frame_views import GREY_SIDE, VIEW
from tasks.images.limits import Limits, PictureError
from tasks.observability import metrics, tracing

log = logging.getLogger("sluice.decoder")
WALL_FACTOR = 2  # allowed wall-clock time per CPU time: other processes need the CPU too
TRIES = 2  # one retry if the child was killed from outside, which is not the picture's fault
START_TIMEOUT = 20.0  # seconds for a child to start on a busy machine
VIEW_BYTES = VIEW[0] * VIEW[1] * 3
VIEWS = 6  # most views of one frame: three for alpha, each turned and unturned
DRAWN_BYTES = 4 * 1024 * 1024  # of all thumbnails in one response
MAX_GIVEN_UP = 1024  # remembered digests of pictures that were given up
PASSED = ("PATH", "LANG", "SLUICE_STACK", "VIRTUAL_ENV")  # environment variables
# One arena; blocks above 4 MB are returned to the system when they are freed.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
}
Made = TypeVar("Made")
Path = str | os.PathLike[str]
# Given up, not refused: the content is unknown, so a person must look.
GIVEN_UP = frozenset({"too_slow", "too_hungry", "crashed"})


class Views(Sequence[Image.Image]):
    """The classifier's views, each made on access; `frames` are the indexes of their frames.

    A long animation has hundreds of views of 200 KB: they are never all in memory.
    """

    def __init__(
        self, frames: list[int], blobs: Sequence[decoder_protocol.Blob], first: int
    ) -> None:
        if not frames or len(frames) != len(blobs) - first:
            raise ValueError("the views do not match the blobs")
        self.frames = frames
        self._blobs, self._first = blobs, first

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, at: int) -> Image.Image: ...
    @overload
    def __getitem__(self, at: slice) -> list[Image.Image]: ...
    def __getitem__(self, at: int | slice) -> Image.Image | list[Image.Image]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        return Image.frombytes("RGB", VIEW, self._blobs[self._first + at])


@dataclass
class Decoded:
    """The decoder's result: `decode.Picture` with `grey` for its hash."""

    format: str
    width: int
    height: int
    frames: int
    sampled: list[int]
    views: Views
    grey: Image.Image
    notes: list[str]
    doubts: list[str]


class DecoderDown(Exception):
    """The child cannot be started, or exits before it gets a picture."""


class Budget:
    """The time for all pictures of one submission: twice the limit of one picture.

    When it is spent, each further picture still gets a sixth of its limit, so that a fast picture
    after slow ones is decoded.
    """

    def __init__(self, each: float) -> None:
        self._each, self._left = each, 2 * each

    def seconds(self) -> float:
        """The time limit of the next picture."""
        return min(self._each, max(self._left, self._each / 6))

    def spend(self, seconds: float) -> None:
        """Subtract the time of a picture."""
        self._left -= seconds


class Decoder:
    """A worker's decoder; the child starts at the first use and decodes one picture at a time."""

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._megabytes = settings.decode_timeout, settings.decode_memory
        self._folder = settings.sluice_home
        self._child: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._given_up: OrderedDict[bytes, PictureError] = OrderedDict()
        self._lock = threading.RLock()

    def budget(self) -> Budget:
        """The time budget of a new submission."""
        return Budget(self._seconds)

    @property
    def pid(self) -> int | None:
        """The child's process id; None if there is no child."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the child before the first picture needs it."""
        with self._lock:
            self._connected()

    def look(
        self, path: Path, limits: Limits, budget: Budget | None = None, *, digest: bytes = b""
    ) -> Decoded:
        """Decode the file at `path`. Raises `PictureError`, OSError and `DecoderDown`.

        A file whose `digest` was given up before is given up again without decoding.
        """
        with self._lock:
            if digest in self._given_up:
                raise self._given_up[digest]
            try:
                most = (2 * GREY_SIDE) ** 2 + limits.max_frames * VIEWS * VIEW_BYTES
                fields, blobs = self._request(
                    {"do": "look"}, path, limits, budget or self.budget(), most
                )
                return self._parsed(_decoded, fields, blobs)
            except PictureError as error:
                if error.code in GIVEN_UP:
                    metrics.meters().given_up.labels(error.code).inc()
                if digest and error.code in GIVEN_UP:
                    self._remember(digest, error)
                raise

    def draw(self, path: Path, frames: Collection[int], limits: Limits) -> dict[int, bytes]:
        """The thumbnails (WebP) of the readable ones of these frames. Raises the same as `look`."""
        request = {"do": "draw", "frames": sorted(frames)}
        with self._lock:
            fields, blobs = self._request(request, path, limits, self.budget(), DRAWN_BYTES)
            return self._parsed(_drawn, fields, blobs)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def _request(
        self, request: dict[str, Any], path: Path, limits: Limits, budget: Budget, most: int
    ) -> tuple[dict[str, Any], Sequence[decoder_protocol.Blob]]:
        seconds, begun = budget.seconds(), time.monotonic()
        request |= {"seconds": seconds, "limits": asdict(limits) | {"seconds": 0.6 * seconds}}
        try:
            with tracing.span("decode"), open(path, "rb") as file:
                fields, blobs = self._exchange(request, file.fileno(), seconds * WALL_FACTOR, most)
        finally:
            took = time.monotonic() - begun
            budget.spend(took)
            metrics.meters().decoding.observe(took)
        if "code" in fields:
            raise PictureError(str(fields["code"]), str(fields.get("problem", "")))
        return fields, blobs

    def _exchange(
        self, request: dict[str, Any], file: int, patience: float, most: int
    ) -> tuple[dict[str, Any], Sequence[decoder_protocol.Blob]]:
        for _ in range(TRIES):
            sock = self._connected()
            sock.settimeout(patience)
            os.lseek(file, 0, os.SEEK_SET)  # the last child may have moved the offset
            try:
                decoder_protocol.send_request(sock, request, file)
                return decoder_protocol.receive_response(sock, most, self._folder)
            except TimeoutError as error:
                self._end()
                raise _too_slow(request["seconds"]) from error
            except decoder_protocol.WireError as error:
                log.error("the decoder sent an invalid response: %s", error)
                self._end()
                raise _crashed("invalid response") from error
            except (EOFError, OSError):
                self._raise_for_exit(request["seconds"])
        raise _crashed("killed from outside twice")

    def _raise_for_exit(self, seconds: float) -> None:
        """Raise the error for the child's exit code; return if it is not the picture's fault."""
        code = self._end()
        if code == -signal.SIGPROF:
            raise _too_slow(seconds)
        # 0: it exited before it got the picture. SIGKILL, SIGTERM: killed from outside.
        if code not in (0, -signal.SIGKILL, -signal.SIGTERM):
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            log.error("a picture crashed the decoder: %s", name)
            raise _crashed(name)
        log.warning("the decoder was killed (%s); starting a new one", code)

    def _parsed(
        self,
        make: Callable[[dict[str, Any], Sequence[decoder_protocol.Blob]], Made],
        fields: dict[str, Any],
        blobs: Sequence[decoder_protocol.Blob],
    ) -> Made:
        try:
            return make(fields, blobs)
        except (LookupError, TypeError, ValueError) as error:
            self._end()
            raise _crashed("invalid response") from error

    def _connected(self) -> socket.socket:
        """The socket to the child, which is started if there is none."""
        return self._sock or self._spawn()

    def _spawn(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in PASSED if name in os.environ} | MALLOC
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tasks.images.decoder_process", str(self._megabytes)],
                cwd=ROOT,
                env=environment,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
            )
        except OSError as error:
            ours.close()
            raise DecoderDown(f"The decoder cannot be started: {error}.") from error
        finally:
            theirs.close()
        self._sock = ours
        # A child that cannot start is not the picture's fault.
        ours.settimeout(START_TIMEOUT)
        try:
            decoder_protocol.receive_response(ours, 0, self._folder)
        except (EOFError, OSError, decoder_protocol.WireError) as error:
            code = self._end()
            raise DecoderDown(f"The decoder does not start (exit code {code}).") from error
        return ours

    def _end(self) -> int:
        """End the child; returns its exit code as `subprocess` defines it."""
        child, sock, self._child, self._sock = self._child, self._sock, None, None
        if sock is not None:
            sock.close()
        if child is None:
            return 0
        try:
            # If it is crashing, wait for its own exit code.
            return child.wait(0.2)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def _remember(self, digest: bytes, error: PictureError) -> None:
        self._given_up[digest] = PictureError(error.code, str(error))
        if len(self._given_up) > MAX_GIVEN_UP:
            self._given_up.popitem(last=False)


def _decoded(fields: dict[str, Any], blobs: Sequence[decoder_protocol.Blob]) -> Decoded:
    views = Views([int(index) for index in fields.pop("views")], blobs, first=1)
    width, height = fields.pop("grey")
    grey = Image.frombytes("L", (width, height), blobs[0])
    return Decoded(**fields, views=views, grey=grey)


def _drawn(fields: dict[str, Any], blobs: Sequence[decoder_protocol.Blob]) -> dict[int, bytes]:
    pairs = zip(fields["frames"], blobs, strict=True)
    return {int(index): bytes(blob) for index, blob in pairs}


def _too_slow(seconds: float) -> PictureError:
    return PictureError("too_slow", f"The picture was not decoded within {seconds:g} s.")


def _crashed(how: str) -> PictureError:
    return PictureError("crashed", f"The picture crashed its decoder ({how}).")
