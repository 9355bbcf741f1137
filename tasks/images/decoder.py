"""Containment: pictures are decoded in a child of the worker, which a bad one may take with it.

The child is a process of its own making and no fork of the worker: it inherits neither the database
nor a secret nor a lock that a thread held, and without numpy it is 13 MB. It is handed an open file
and answers with small pixels; the original's never cross. A new one takes 60 ms.
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
BY_THE_CLOCK = 2  # times as long as of the processor a picture may take: others need it, too
TRIES = 2  # a child that was ended from outside is not the picture's fault: once more
START = 20.0  # seconds that a child has to start, on a machine that is busy
VIEW_BYTES = VIEW[0] * VIEW[1] * 3
VIEWS = 6  # most views of one frame: three by alpha, each of them turned and not
DRAWN_BYTES = 4 * 1024 * 1024  # of all thumbnails in one answer
REMEMBERED = 1024  # pictures that were given up
KEPT = ("PATH", "LANG", "SLUICE_STACK", "VIRTUAL_ENV")  # of the environment
# One arena; what is larger than 4 MB goes back to the system at once.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
}
Made = TypeVar("Made")
Path = str | os.PathLike[str]
# Given up rather than refused: nobody knows what the picture shows, so a person must look.
GIVEN_UP = frozenset({"too_slow", "too_hungry", "crashed"})


class Views(Sequence[Image.Image]):
    """The classifier's views, each made when it is asked for; `frames` are their frames' indexes.

    A long animation has hundreds, 200 KB each: they are never all in memory.
    """

    def __init__(
        self, frames: list[int], blobs: Sequence[decoder_protocol.Blob], first: int
    ) -> None:
        if not frames or len(frames) != len(blobs) - first:
            raise ValueError("views that are not there")
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
    """What the decoder tells of a picture: `decode.Picture`, with `grey` for its hash."""

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
    """The child cannot be started, or dies before it has a picture."""


class Budget:
    """The seconds that the pictures of one submission have together: twice what each may take.

    Once they are spent, a picture still has a sixth of its time, so that a quick one behind slow
    ones is looked at.
    """

    def __init__(self, each: float) -> None:
        self._each, self._left = each, 2 * each

    def seconds(self) -> float:
        """How long the next picture may take."""
        return min(self._each, max(self._left, self._each / 6))

    def spend(self, seconds: float) -> None:
        """Take what a picture took."""
        self._left -= seconds


class Decoder:
    """A worker's decoder, started when it is first needed; one picture at a time."""

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._megabytes = settings.decode_timeout, settings.decode_memory
        self._folder = settings.sluice_home
        self._child: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._given_up: OrderedDict[bytes, PictureError] = OrderedDict()
        self._lock = threading.RLock()

    def budget(self) -> Budget:
        """The time of a new submission."""
        return Budget(self._seconds)

    @property
    def pid(self) -> int | None:
        """The child's process, while it is there."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Have the child ready before the first picture waits for it."""
        with self._lock:
            self._connected()

    def look(
        self, path: Path, limits: Limits, budget: Budget | None = None, *, digest: bytes = b""
    ) -> Decoded:
        """Decode the file at `path`. Raises `PictureError`, OSError and `DecoderDown`.

        Bytes of the same `digest` that were given up before are given up again, unread.
        """
        with self._lock:
            if digest in self._given_up:
                raise self._given_up[digest]
            try:
                most = (2 * GREY_SIDE) ** 2 + limits.max_frames * VIEWS * VIEW_BYTES
                told, blobs = self._ask({"do": "look"}, path, limits, budget or self.budget(), most)
                return self._trusted(_decoded, told, blobs)
            except PictureError as error:
                if error.code in GIVEN_UP:
                    metrics.meters().given_up.labels(error.code).inc()
                if digest and error.code in GIVEN_UP:
                    self._remember(digest, error)
                raise

    def draw(self, path: Path, frames: Collection[int], limits: Limits) -> dict[int, bytes]:
        """The thumbnails (WebP) of those of the frames that can be read. Raises as `look` does."""
        request = {"do": "draw", "frames": sorted(frames)}
        with self._lock:
            told, blobs = self._ask(request, path, limits, self.budget(), DRAWN_BYTES)
            return self._trusted(_drawn, told, blobs)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def _ask(
        self, request: dict[str, Any], path: Path, limits: Limits, budget: Budget, most: int
    ) -> tuple[dict[str, Any], Sequence[decoder_protocol.Blob]]:
        seconds, begun = budget.seconds(), time.monotonic()
        request |= {"seconds": seconds, "limits": asdict(limits) | {"seconds": 0.6 * seconds}}
        try:
            with tracing.span("decode"), open(path, "rb") as file:
                told, blobs = self._answered(request, file.fileno(), seconds * BY_THE_CLOCK, most)
        finally:
            took = time.monotonic() - begun
            budget.spend(took)
            metrics.meters().decoding.observe(took)
        if "code" in told:
            raise PictureError(str(told["code"]), str(told.get("problem", "")))
        return told, blobs

    def _answered(
        self, request: dict[str, Any], file: int, patience: float, most: int
    ) -> tuple[dict[str, Any], Sequence[decoder_protocol.Blob]]:
        for _ in range(TRIES):
            sock = self._connected()
            sock.settimeout(patience)
            os.lseek(file, 0, os.SEEK_SET)  # a child that was ended has moved it
            try:
                decoder_protocol.ask(sock, request, file)
                return decoder_protocol.heard(sock, most, self._folder)
            except TimeoutError as error:
                self._end()
                raise _too_slow(request["seconds"]) from error
            except decoder_protocol.WireError as error:
                log.error("the decoder answers nonsense: %s", error)
                self._end()
                raise _crashed("it answered nonsense") from error
            except (EOFError, OSError):
                self._judge_death(request["seconds"])
        raise _crashed("it was ended from outside, twice")

    def _judge_death(self, seconds: float) -> None:
        """Raise what the child's end says of the picture; nothing where it is not to blame."""
        code = self._end()
        if code == -signal.SIGPROF:
            raise _too_slow(seconds)
        # It left by itself before it had the picture, or somebody's hand or the kernel's took it.
        if code not in (0, -signal.SIGKILL, -signal.SIGTERM):
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            log.error("the decoder died of a picture: %s", name)
            raise _crashed(name)
        log.warning("the decoder was ended (%s); a new one takes over", code)

    def _trusted(
        self,
        make: Callable[[dict[str, Any], Sequence[decoder_protocol.Blob]], Made],
        told: dict[str, Any],
        blobs: Sequence[decoder_protocol.Blob],
    ) -> Made:
        try:
            return make(told, blobs)
        except (LookupError, TypeError, ValueError) as error:
            self._end()
            raise _crashed("it answered nonsense") from error

    def _connected(self) -> socket.socket:
        """The way to the child, which is started where there is none."""
        return self._sock or self._spawn()

    def _spawn(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | MALLOC
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
        # One that cannot start is no picture's fault.
        ours.settimeout(START)
        try:
            decoder_protocol.heard(ours, 0, self._folder)
        except (EOFError, OSError, decoder_protocol.WireError) as error:
            code = self._end()
            raise DecoderDown(f"The decoder does not start (exit code {code}).") from error
        return ours

    def _end(self) -> int:
        """End the child and tell its exit code, as `subprocess` has it."""
        child, sock, self._child, self._sock = self._child, self._sock, None, None
        if sock is not None:
            sock.close()
        if child is None:
            return 0
        try:
            # One that dies by itself needs a moment, and its own reason is wanted.
            return child.wait(0.2)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def _remember(self, digest: bytes, error: PictureError) -> None:
        self._given_up[digest] = PictureError(error.code, str(error))
        if len(self._given_up) > REMEMBERED:
            self._given_up.popitem(last=False)


def _decoded(told: dict[str, Any], blobs: Sequence[decoder_protocol.Blob]) -> Decoded:
    views = Views([int(index) for index in told.pop("views")], blobs, first=1)
    width, height = told.pop("grey")
    grey = Image.frombytes("L", (width, height), blobs[0])
    return Decoded(**told, views=views, grey=grey)


def _drawn(told: dict[str, Any], blobs: Sequence[decoder_protocol.Blob]) -> dict[int, bytes]:
    pairs = zip(told["frames"], blobs, strict=True)
    return {int(index): bytes(blob) for index, blob in pairs}


def _too_slow(seconds: float) -> PictureError:
    return PictureError("too_slow", f"The picture was not decoded within {seconds:g} s.")


def _crashed(how: str) -> PictureError:
    return PictureError("crashed", f"The picture ended its decoder ({how}).")
