"""The decoder's process, a worker's child: ``python -m tasks.images.decoder_process MEGABYTES``.

Before it gets its first picture, it gives up its rights (see `tasks.confinement`): it can open no
file, make no socket and reach no other process. It may be killed at any time. A hostile file that
takes it over can read that file, and answer falsely until the child ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import socket
import sys
from dataclasses import asdict
from typing import Any

from PIL import Image

from tasks.confinement import confine
from tasks.host import malloc_trim
from tasks.images import decoder_protocol
from tasks.images.decode import frame_crops, frame_previews, read, save_thumbnail
from tasks.images.frame_views import luma
from tasks.images.limits import Limits, PictureError
from tasks.images.open_untrusted import preload

MEGABYTE = 1024 * 1024
ADDRESSES = 512  # MB of address space beside the memory: code, stacks, reserved pages
OPEN_FILES = 32
Response = tuple[dict[str, Any], list[decoder_protocol.Blob]]


def main() -> None:
    """Answer requests until the worker closes the socket."""
    sock = give_up_rights(int(sys.argv[1]))
    while received := decoder_protocol.receive_request(sock):
        request, file = received
        # The kernel kills the process at the time limit: native code ignores Python's signals.
        signal.setitimer(signal.ITIMER_PROF, float(request["seconds"]))
        fields, blobs = _respond(request, file)
        os.close(file)
        signal.setitimer(signal.ITIMER_PROF, 0)
        decoder_protocol.send_response(sock, fields, blobs)
        malloc_trim.tidy()
        if fields.get("code") == "too_hungry":
            return  # after it ran out of memory its state is unreliable


def give_up_rights(megabytes: int) -> socket.socket:
    """Load, confine and limit this process, report that to the worker; returns its socket."""
    preload()
    sock = socket.socket(fileno=0)
    confine.close_descriptors()
    _limit(megabytes)
    confined = confine.confine()
    decoder_protocol.send_response(sock, {"ready": True, "confinement": asdict(confined)})
    return sock


def _limit(megabytes: int) -> None:
    # The worker ends it by closing the socket; signals to the process group are ignored.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for kind, most in (
        (resource.RLIMIT_DATA, megabytes * MEGABYTE),
        (resource.RLIMIT_AS, (megabytes + ADDRESSES) * MEGABYTE),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
    ):
        _, hard = resource.getrlimit(kind)
        within = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (within, within))
    # If the machine runs out of memory, the kernel should kill this process first.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def _respond(request: dict[str, Any], file: int) -> Response:
    limits = Limits(**request["limits"])
    try:
        if request["do"] == "draw":
            return _draw(file, request["frames"], limits)
        if request["do"] == "crop":
            crops = frame_crops(file, request["frame"], request["boxes"], limits)
            return {}, [crop.tobytes() for crop in crops]
        return _look(file, limits)
    except PictureError as error:
        return {"code": error.code, "problem": str(error)}, []


def _look(file: int, limits: Limits) -> Response:
    picture = read(file, limits)
    grey = luma(picture.preview)
    fields = {
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "frames": picture.frames,
        "sampled": picture.sampled,
        "views": [view.index for view in picture.views],
        "grey": grey.size,
        "notes": picture.notes,
        "doubts": picture.doubts,
    }
    return fields, [grey.tobytes(), *(view.image.tobytes() for view in picture.views)]


def _draw(file: int, frames: list[int], limits: Limits) -> Response:
    previews = frame_previews(file, frames, limits)
    return {"frames": list(previews)}, [_webp(preview) for preview in previews.values()]


def _webp(preview: Image.Image) -> bytes:
    buffer = io.BytesIO()
    save_thumbnail(preview, buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
