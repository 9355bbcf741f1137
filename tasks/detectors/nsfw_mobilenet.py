"""The second image network: MobileNetV2 of the npm package nsfwjs, by ONNX Runtime.

It was trained apart from open_nsfw, on other pictures, so it errs on others. Its five scores add up
to 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.settings import Settings
from tasks.classifier.base import ClassifierDown
from tasks.classifier.onnx import open_session
from tasks.detectors import model_files
from tasks.detectors.base import DetectorDown, DetectorError, Score, Subject
from tasks.host import malloc_trim

if TYPE_CHECKING:
    import onnxruntime

MODEL_FILE = "nsfw_mobilenet.onnx"
SIDE = 224
LABELS = ("drawing", "drawn_sexual", "neutral", "porn", "suggestive")  # in the network's order
HARMLESS = ("drawing", "neutral")
MOST_VIEWS = 16  # of one run; each takes 40 MB while it is computed


class NsfwMobilenet:
    """The network; its session is opened when the detector is made."""

    def __init__(self, settings: Settings) -> None:
        model = model_files.read(settings.detectors, MODEL_FILE)
        try:
            self._session: onnxruntime.InferenceSession = open_session(
                model, ("CPU",), settings.nsfw_threads
            )
        except ClassifierDown as error:
            raise DetectorDown(str(error)) from error
        malloc_trim.give_back()

    def detect(self, subject: Subject) -> Iterator[Score]:
        """Each label's score in the view that scores highest against the picture.

        Its evidence is the number of that view, from 0. Takes 256 x 256 RGB images.
        """
        if isinstance(subject, str):
            raise DetectorError("nsfw_mobilenet takes pictures, not texts.")
        scores = np.concatenate([self._run(part) for part in _parts(subject)])
        benign = [LABELS.index(label) for label in HARMLESS]
        view = int(np.argmin(scores[:, benign].sum(axis=1)))
        for label, score in zip(LABELS, scores[view], strict=True):
            yield Score(label, min(1.0, float(score)), {"view": view})

    def _run(self, views: Sequence[Image.Image]) -> NDArray[np.float32]:
        batch = np.stack([prepare(view) for view in views])
        (scores,) = self._session.run(None, {"input": batch})
        malloc_trim.tidy()
        return np.asarray(scores, np.float32)


def prepare(view: Image.Image) -> NDArray[np.float32]:
    """The network's input for a view: (224, 224, 3) float32, RGB, 0 to 1."""
    small = view.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = np.frombuffer(small.tobytes(), np.uint8).reshape(SIDE, SIDE, 3)
    return pixels.astype(np.float32) / np.float32(255)


def _parts(views: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(views), MOST_VIEWS):
        yield views[start : start + MOST_VIEWS]
