"""Containment: pictures are decoded in a child process of the worker, which may crash.

The child is a new process, not a fork of the worker: it inherits no database connection, no secret
and no lock of a thread, and it is confined (see `tasks.confinement`). Without numpy it takes 13 MB.
It gets an open file and returns small views; the original's pixels are never transferred. What it
returns is checked like any input (see `decoder_response`). Starting a new child takes 70 ms.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, overload

from PIL import Image

from models.settings import Settings
from tasks.images import decoder_child, decoder_protocol, decoder_response
from tasks.images.decoder_child import Child, DecoderDown
from tasks.images.frame_views import GREY_SIDE, VIEW
from tasks.images.limits import Limits, PictureError
from tasks.observability import metrics, tracing

log = logging.getLogger("sluice.decoder")
WALL_FACTOR = 2  # allowed wall-clock time per CPU time: other processes need the CPU too
TRIES = 2  # one retry if the child was killed from outside, which is not the picture's fault
VIEW_BYTES = VIEW[0] * VIEW[1] * 3
VIEWS = 6  # most views of one frame: three for alpha, each turned and unturned
DRAWN_BYTES = 4 * 1024 * 1024  # of all thumbnails in one response
MAX_GIVEN_UP = 1024  # remembered digests of pictures that were given up
MOST_GREY = (2 * GREY_SIDE) ** 2  # pixels of the picture for the hash
Made = TypeVar("Made")
Fields = dict[str, Any]
Blobs = Sequence[decoder_protocol.Blob]
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
        if not frames or decoder_protocol.sizes_of(blobs)[first:] != [VIEW_BYTES] * len(frames):
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

    program: Sequence[str] = decoder_child.PROGRAM

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._megabytes = settings.decode_timeout, settings.decode_memory
        self._folder, self._strict = settings.sluice_home, settings.require_confinement
        self._child: Child | None = None
        self._given_up: OrderedDict[bytes, PictureError] = OrderedDict()
        self._lock = threading.RLock()
        self.unconfined: str | None = None  # see `Child`; None until a child has started

    def budget(self) -> Budget:
        """The time budget of a new submission."""
        return Budget(self._seconds)

    @property
    def pid(self) -> int | None:
        """The child's process id; None if there is no child."""
        return self._child.process.pid if self._child else None

    def start(self) -> None:
        """Start the child before the first picture needs it."""
        with self._lock:
            self._running()

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
                most = MOST_GREY + limits.max_frames * VIEWS * VIEW_BYTES
                request = {"do": "look"}
                return self._request(_decoded, request, path, limits, budget or self.budget(), most)
            except PictureError as error:
                if error.code in GIVEN_UP:
                    metrics.meters().given_up.labels(error.code).inc()
                if digest and error.code in GIVEN_UP:
                    self._remember(digest, error)
                raise

    def draw(self, path: Path, frames: Collection[int], limits: Limits) -> dict[int, bytes]:
        """The thumbnails (WebP) of the readable ones of these frames. Raises the same as `look`."""
        request = {"do": "draw", "frames": sorted(frames)}

        def drawn(fields: Fields, blobs: Blobs) -> dict[int, bytes]:
            return decoder_response.thumbnails(fields["frames"], frames, blobs)

        with self._lock:
            return self._request(drawn, request, path, limits, self.budget(), DRAWN_BYTES)

    def crop(
        self,
        path: Path,
        frame: int,
        boxes: Sequence[Sequence[float]],
        limits: Limits,
        budget: Budget | None = None,
    ) -> list[Image.Image]:
        """Parts of one frame as views (see `decode.frame_crops`). Raises the same as `look`."""
        request = {"do": "crop", "frame": frame, "boxes": [list(box) for box in boxes]}
        most = len(boxes) * VIEW_BYTES

        def cropped(_: Fields, blobs: Blobs) -> list[Image.Image]:
            return list(Views([frame] * len(boxes), blobs, 0))

        with self._lock:
            return self._request(cropped, request, path, limits, budget or self.budget(), most)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def _request(
        self,
        make: Callable[[Fields, Blobs], Made],
        request: dict[str, Any],
        path: Path,
        limits: Limits,
        budget: Budget,
        most: int,
    ) -> Made:
        """What `make` makes of the response; it checks it and raises for what is invalid."""
        seconds, begun = budget.seconds(), time.monotonic()
        request |= {"seconds": seconds, "limits": asdict(limits) | {"seconds": 0.6 * seconds}}
        try:
            name = "decode" if request["do"] == "look" else str(request["do"])
            with tracing.span(name), open(path, "rb") as file:
                fields, blobs = self._exchange(request, file.fileno(), seconds * WALL_FACTOR, most)
        finally:
            took = time.monotonic() - begun
            budget.spend(took)
            metrics.meters().decoding.observe(took)
        try:
            if "code" in fields:
                raise PictureError(*decoder_response.refusal(fields))
            return make(fields, blobs)
        except (LookupError, TypeError, ValueError) as error:
            raise self._invalid(error) from error

    def _exchange(
        self, request: dict[str, Any], file: int, patience: float, most: int
    ) -> tuple[Fields, Blobs]:
        for _ in range(TRIES):
            sock = self._running().sock
            deadline = time.monotonic() + patience
            os.lseek(file, 0, os.SEEK_SET)  # the last child may have moved the offset
            try:
                sock.settimeout(patience)
                decoder_protocol.send_request(sock, request, file)
                return decoder_protocol.receive_response(sock, most, self._folder, deadline)
            except TimeoutError as error:
                self._end()
                raise _too_slow(request["seconds"]) from error
            except decoder_protocol.WireError as error:
                raise self._invalid(error) from error
            except (EOFError, OSError):
                self._raise_for_exit(request["seconds"])
        raise _crashed("killed from outside twice")

    def _invalid(self, error: Exception) -> PictureError:
        """End a child that sent an invalid response; the error to raise."""
        log.error(
            "the decoder sent an invalid response: %s", decoder_protocol.printable(str(error))
        )
        self._end()
        return _crashed("invalid response")

    def _raise_for_exit(self, seconds: float) -> None:
        """Raise the error for the child's exit code; return if it is not the picture's fault."""
        code, why = self._end()
        if code == -signal.SIGPROF:
            raise _too_slow(seconds)
        # 0: it exited before it got the picture. SIGKILL, SIGTERM: killed from outside.
        if code not in (0, -signal.SIGKILL, -signal.SIGTERM):
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            if code == -signal.SIGSYS:
                name += ", a forbidden system call"
            log.error("a picture crashed the decoder: %s. %s", name, why)
            raise _crashed(name)
        log.warning("the decoder was killed (%s); starting a new one", code)

    def _running(self) -> Child:
        """The child, which is started if there is none."""
        if self._child is None:
            child = decoder_child.start(self._megabytes, self._folder, self.program)
            self.unconfined = child.unconfined
            if child.unconfined and self._strict:
                child.end()
                raise DecoderDown(f"The decoder is not confined: {child.unconfined}.")
            self._child = child
        return self._child

    def _end(self) -> tuple[int, str]:
        """End the child; see `Child.end`."""
        child, self._child = self._child, None
        return child.end() if child else (0, "")

    def _remember(self, digest: bytes, error: PictureError) -> None:
        self._given_up[digest] = PictureError(error.code, str(error))
        if len(self._given_up) > MAX_GIVEN_UP:
            self._given_up.popitem(last=False)


def _decoded(fields: Fields, blobs: Blobs) -> Decoded:
    frames, size = decoder_response.numbers(fields.pop("views")), fields.pop("grey")
    views = Views(frames, blobs, first=1)
    grey = Image.frombytes("L", decoder_response.grey(size, blobs[0], MOST_GREY), blobs[0])
    values = decoder_response.picture(Decoded, fields, besides=("views", "grey"))
    if max(frames) >= values["frames"]:
        raise ValueError("a view of a frame that the picture does not have")
    return Decoded(**values, views=views, grey=grey)


def _too_slow(seconds: float) -> PictureError:
    return PictureError("too_slow", f"The picture was not decoded within {seconds:g} s.")


def _crashed(how: str) -> PictureError:
    return PictureError("crashed", f"The picture crashed its decoder ({how}).")
