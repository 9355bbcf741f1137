"""Heatmaps: which parts of a flag's pictures raised the score, for its reviewer.

A heatmap is a transparent image beside the thumbnail. It shows where, but not what, so the console
can lay it over a blurred picture.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from models.settings import get_settings
from models.submissions.image import Image
from models.submissions.submission import Submission
from tasks.heatmaps import activation_map
from tasks.images.decoder import Decoded
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, items_of
from tasks.storage import StorageDown, heat

IDLE = 20.0  # seconds without a heatmap until the network is unloaded
LONGEST = 320  # pixels; the map itself has 7 x 7 cells


def draw(submission: Submission) -> None:
    """Draw the missing heatmaps; unreadable and deleted pictures get none.

    Safe to run twice: the same file is written under the same name.
    """
    for item in items_of(submission.id, get_settings()):
        if item.image.heat or not item.image.thumbnail:
            continue
        try:
            _draw(item)
        except (PictureError, FileNotFoundError, StorageDown):
            continue
        Image.update(heat=True).where(Image.id == item.image.id).execute()
    idle_unload.postpone()


class IdleUnload:
    """Unloads the network some time after the last heatmap.

    Safe while a heatmap is being drawn: it has its own reference to the network.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def postpone(self) -> None:
        """Restart the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(IDLE, activation_map.unload)
        self._timer.daemon = True
        self._timer.start()


idle_unload = IdleUnload()


def _draw(item: Item) -> None:
    picture, box = item.picture, (item.image.view or {}).get("box")
    frame = item.image.worst_frame or 0
    views = item.crop(frame, [box]) if box else _views(picture, frame)
    heats = [activation_map.heatmap(view, model_path=_model()) for view in views]
    hottest = max(heats, key=lambda heat: float(np.mean(heat)))
    scale = LONGEST / max(picture.width, picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    layer = activation_map.layer(hottest, size) if not box else _in_box(hottest, size, box)
    file = io.BytesIO()
    layer.save(file, "WEBP", quality=80, method=2)
    item.storage.write(heat(item.image.storage_key), file.getvalue())


def _in_box(
    heat: NDArray[np.float32], size: tuple[int, int], box: Sequence[float]
) -> PIL.Image.Image:
    """The overlay of a part of the picture: ``box`` is (left, top, right, bottom) in shares."""
    left, top, right, bottom = (
        round(edge * side) for edge, side in zip(box, size * 2, strict=True)
    )
    whole = PIL.Image.new("RGBA", size, (*activation_map.HOT, 0))
    part = activation_map.layer(heat, (max(1, right - left), max(1, bottom - top)))
    whole.paste(part, (left, top))
    return whole


def _views(picture: Decoded, frame: int) -> list[PIL.Image.Image]:
    """The classifier's views of a frame; a repeated frame has the views of the earlier one."""
    frames = picture.views.frames
    index = max((at for at in frames if at <= frame), default=0)
    return [picture.views[number] for number, at in enumerate(frames) if at == index]


def _model() -> str | None:
    """The engine's weights if it is the ONNX engine, else None for the package's weights."""
    settings = get_settings()
    return (settings.nsfw_model or None) if settings.nsfw_engine == "onnx" else None
