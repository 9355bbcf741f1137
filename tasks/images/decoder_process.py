"""The decoder's process, a worker's child: ``python -m tasks.images.decoder_process MEGABYTES``.

It holds nothing worth stealing (no connection, no secret, no file but the one it is handed) and may
be ended at any time. Whatever a hostile file makes of it costs that file only.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import socket
import sys
from typing import Any

from PIL import Image

from tasks.host import malloc_trim
from tasks.images import decoder_protocol
from tasks.images.decode import frame_previews, read, save_thumbnail
from tasks.images.frame_views import luma
from tasks.images.limits import Limits, PictureError

MEGABYTE = 1024 * 1024
ADDRESSES = 512  # MB of addresses beside the memory: code, stacks, what is reserved and not used
OPEN_FILES = 32
Answer = tuple[dict[str, Any], list[decoder_protocol.Blob]]


def main() -> None:
    """Answer one request after the other until the worker has gone."""
    _confine(int(sys.argv[1]))
    sock = socket.socket(fileno=0)
    decoder_protocol.answer(sock, {"ready": True})
    while received := decoder_protocol.asked(sock):
        request, file = received
        # The kernel ends the process when the time is up: C code heeds nothing else.
        signal.setitimer(signal.ITIMER_PROF, float(request["seconds"]))
        told, blobs = _answer(request, file)
        os.close(file)
        signal.setitimer(signal.ITIMER_PROF, 0)
        decoder_protocol.answer(sock, told, blobs)
        malloc_trim.tidy()
        if told.get("code") == "too_hungry":
            return  # what a decoder holds after it ran out of memory is not to be trusted


def _confine(megabytes: int) -> None:
    # The worker ends it by closing the socket; a signal to the whole group is not for it.
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
    # Where the machine runs out of memory, this is the process to lose.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def _answer(request: dict[str, Any], file: int) -> Answer:
    limits = Limits(**request["limits"])
    try:
        if request["do"] == "draw":
            return _draw(file, request["frames"], limits)
        return _look(file, limits)
    except PictureError as error:
        return {"code": error.code, "problem": str(error)}, []


def _look(file: int, limits: Limits) -> Answer:
    picture = read(file, limits)
    grey = luma(picture.preview)
    told = {
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
    return told, [grey.tobytes(), *(view.image.tobytes() for view in picture.views)]


def _draw(file: int, frames: list[int], limits: Limits) -> Answer:
    previews = frame_previews(file, frames, limits)
    return {"frames": list(previews)}, [_webp(preview) for preview in previews.values()]


def _webp(preview: Image.Image) -> bytes:
    buffer = io.BytesIO()
    save_thumbnail(preview, buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
