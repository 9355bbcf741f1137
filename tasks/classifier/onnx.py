"""The default engine: open_nsfw by ONNX Runtime."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.classifier import weights
from tasks.classifier.base import ClassifierDown, as_input, preprocess
from tasks.host import malloc_trim

if TYPE_CHECKING:
    import onnxruntime


class OnnxClassifier:
    """open_nsfw on ONNX Runtime, loaded at the first score.

    On one thread a batch of 2 takes 4 % less time per picture than a single picture. A batch of 4
    to 16 takes no less than that, and up to 190 MB more memory. Batches are for GPUs.
    """

    name = "onnx"

    def __init__(
        self,
        *,
        providers: Sequence[str] = ("CPU",),
        threads: int = 1,
        batch: int = 1,
        model_path: str | os.PathLike[str] | None = None,
    ) -> None:
        self._providers = providers
        self._threads = threads
        self._batch = max(1, batch)
        self._model_path = model_path
        self._session: onnxruntime.InferenceSession | None = None
        self._loading = threading.Lock()

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        """The network's input for a 256 x 256 RGB image."""
        return preprocess(image)

    def score(self, images: Sequence[Image.Image | NDArray[np.float32]]) -> list[float]:
        """The NSFW probability of each 256 x 256 RGB image. Raises `ClassifierDown`."""
        session = self._loaded()
        source = session.get_inputs()[0].name
        scores: list[float] = []
        for start in range(0, len(images), self._batch):
            scores += _run(session, source, images[start : start + self._batch])
        malloc_trim.tidy()
        return scores

    def _loaded(self) -> onnxruntime.InferenceSession:
        with self._loading:
            if self._session is None:
                path = weights.find_model(self._model_path)
                weights.verify(path)
                self._session = open_session(str(path), self._providers, self._threads)
                malloc_trim.give_back()
            return self._session


def _run(
    session: onnxruntime.InferenceSession,
    source: str,
    images: Sequence[Image.Image | NDArray[np.float32]],
) -> list[float]:
    try:
        (output,) = session.run(None, {source: np.stack([as_input(image) for image in images])})
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ClassifierDown(f"The model cannot score: {error}") from error
    return [float(score) for score in output[:, 1]]


def open_session(
    model: str | bytes, providers: Sequence[str], threads: int
) -> onnxruntime.InferenceSession:
    """A session on a model file or its bytes. Raises `ClassifierDown`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ClassifierDown("The package onnxruntime is missing.") from error
    names = _provider_names(providers, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(
            model, _options(onnxruntime, threads), providers=names
        )
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ClassifierDown(f"The model cannot be loaded: {error}") from error
    check_provider(names[0], session.get_providers())
    return session


def check_provider(expected: str, active: Sequence[str]) -> None:
    """Raise `ClassifierDown` if ONNX Runtime silently fell back to the CPU."""
    if expected not in active:
        raise ClassifierDown(
            f"ONNX Runtime has {expected} but cannot start it: its driver or libraries are missing"
            f" or there is no such device. It would run on {', '.join(active)}."
        )


def _provider_names(providers: Sequence[str], available: Sequence[str]) -> list[str]:
    """ONNX Runtime's names for `CPU`, `CUDA` and so on; full names are accepted too."""
    suffix = "ExecutionProvider"
    names = [name if name.endswith(suffix) else name + suffix for name in providers]
    missing = [name for name in names if name not in available]
    if missing or not names:
        raise ClassifierDown(
            f"ONNX Runtime has no {', '.join(missing) or 'provider'} here; "
            f"it has {', '.join(available)}."
        )
    return names


def _options(onnxruntime: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning thread would take CPU time from the other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    # The arena never shrinks; without it the speed is the same (measured).
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return options
