"""Heatmaps: what the network looked at in a flag's pictures, for the people who review it.

A heatmap is a see-through layer of its own beside the thumbnail: it says where without showing
what, so it can lie over a picture that is still blurred.
"""

from __future__ import annotations

import io
import threading

import numpy as np
import PIL.Image

from models.settings import get_settings
from models.submissions.image import Image
from models.submissions.submission import Submission
from tasks.heatmaps import activation_map
from tasks.images.decoder import Decoded
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, items_of
from tasks.storage import StorageDown, heat

IDLE = 20.0  # seconds without a heatmap after which the network's memory is given back
LONGEST = 320  # pixels; the map itself has 7 x 7 cells


def draw(submission: Submission) -> None:
    """Make the heatmaps that are missing; a picture that cannot be read, or is gone, has none.

    Safe when it is done twice: the same file is written under the same name.
    """
    for item in items_of(submission.id, get_settings()):
        if item.image.heat or not item.image.thumbnail:
            continue
        try:
            _draw(item)
        except (PictureError, FileNotFoundError, StorageDown):
            continue
        Image.update(heat=True).where(Image.id == item.image.id).execute()
    rest.later()


class Rest:
    """Gives the memory of the network back some time after the last heatmap.

    Safe beside a heatmap that is being made: that one holds the network until it is done.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def later(self) -> None:
        """Put the rest off again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(IDLE, activation_map.forget)
        self._timer.daemon = True
        self._timer.start()


rest = Rest()


def _draw(item: Item) -> None:
    picture = item.picture
    views = _views(picture, item.image.worst_frame or 0)
    heats = [activation_map.heatmap(view, model_path=_model()) for view in views]
    hottest = max(heats, key=lambda heat: float(np.mean(heat)))
    scale = LONGEST / max(picture.width, picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    layer = activation_map.layer(hottest, size)
    file = io.BytesIO()
    layer.save(file, "WEBP", quality=80, method=2)
    item.storage.write(heat(item.image.storage_key), file.getvalue())


def _views(picture: Decoded, frame: int) -> list[PIL.Image.Image]:
    """The classifier's views of a frame; one that repeats an earlier frame has that one's."""
    frames = picture.views.frames
    index = max((at for at in frames if at <= frame), default=0)
    return [picture.views[place] for place, at in enumerate(frames) if at == index]


def _model() -> str | None:
    """The weights that the engine runs; those of the package where it is not the ONNX one."""
    settings = get_settings()
    return (settings.nsfw_model or None) if settings.nsfw_engine == "onnx" else None
