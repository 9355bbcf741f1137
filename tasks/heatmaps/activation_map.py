"""The class activation map: which parts of a picture raised its score.

open_nsfw ends in average pooling and one dense layer, so its log-odds are the mean over the last
feature map of a weighted sum of channels (Zhou et al., "Learning Deep Features for Discriminative
Localization", 2016). The map is that sum before the mean: exact, and without gradients.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.classifier import weights
from tasks.classifier.base import CROP, RESIZED, preprocess
from tasks.classifier.onnx import open_session
from tasks.host import malloc_trim

if TYPE_CHECKING:
    import onnxruntime

HOT = (255, 40, 0)
OPACITY = 0.6


@dataclass(frozen=True)
class _Network:
    """A session that also returns the last feature map, and the NSFW weights of its channels."""

    session: onnxruntime.InferenceSession
    kernel: NDArray[np.float32]  # (1024,)
    bias: float


def heatmap(
    image: Image.Image, *, model_path: str | os.PathLike[str] | None = None
) -> NDArray[np.float32]:
    """(7, 7) float32: the NSFW probability, 0 to 1, that each cell alone would give.

    `image` is a classifier's view, 256 x 256 RGB; the cells cover its middle 224 pixels. The mean
    of the cells' log-odds is the picture's log-odds. Raises `ClassifierDown`.
    """
    network = _network(os.fspath(model_path) if model_path else None)
    source = network.session.get_inputs()[0].name
    (features,) = network.session.run([weights.LAST_FEATURE_MAP], {source: preprocess(image)[None]})
    log_odds = np.tensordot(network.kernel, features[0], axes=1) + np.float32(network.bias)
    heat: NDArray[np.float32] = 0.5 + 0.5 * np.tanh(0.5 * log_odds, dtype=np.float32)
    return heat


def unload() -> None:
    """Free the network, about 90 MB; the next heatmap loads it again in 0.1 s."""
    _network.cache_clear()
    malloc_trim.give_back()


def layer(heat: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """`heat` as an overlay of that size: red RGBA, transparent where it is 0.

    The rim that no cell covers is transparent too.
    """
    mask = Image.new("L", RESIZED)
    side = CROP.stop - CROP.start
    cells = Image.fromarray(np.uint8(np.clip(heat, 0, 1) * 255 * OPACITY))
    mask.paste(cells.resize((side, side), Image.Resampling.BICUBIC), (CROP.start, CROP.start))
    red = Image.new("RGB", size, HOT)
    red.putalpha(mask.resize(size, Image.Resampling.BILINEAR))
    return red


@functools.lru_cache(maxsize=1)
def _network(model_path: str | None) -> _Network:
    path = weights.find_model(model_path)
    weights.verify(path)
    model = path.read_bytes()
    tensors = weights.initializers(model)
    kernel, bias = tensors[weights.DENSE_KERNEL], tensors[weights.DENSE_BIAS]
    session = open_session(weights.with_output(model, weights.LAST_FEATURE_MAP), ["CPU"], 1)
    return _Network(session, kernel[:, 1] - kernel[:, 0], float(bias[1] - bias[0]))
