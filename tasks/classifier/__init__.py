"""Classifier engines behind one interface: ONNX Runtime, Keras, a remote server.

Open ``base.py`` first: what an engine takes and returns. `load` makes an engine, `engine` the one
that the settings choose; importing this package loads none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from models.settings import Settings, names, per_process
from tasks.classifier.base import Classifier, ClassifierDown, preprocess

__all__ = ["ENGINES", "Classifier", "ClassifierDown", "engine", "load", "preprocess"]

ENGINES = ("onnx", "opennsfw2", "remote")


def load(
    engine: str,
    *,
    providers: Sequence[str] = ("CPU",),
    threads: int = 1,
    batch: int = 1,
    model_path: str | os.PathLike[str] | None = None,
    weights_path: str | os.PathLike[str] | None = None,
    url: str = "",
    key: str | None = None,
) -> Classifier:
    """The engine of that name; its model is loaded at the first score, not here.

    `providers`, `threads` and `batch` are for `onnx`; `model_path` is an ONNX file for either local
    engine; `weights_path` is an official file for `opennsfw2`; `url` and `key` are for `remote`.
    Raises ValueError for an unknown name and `ClassifierDown` for `remote` without an address.
    """
    if engine == "onnx":
        from tasks.classifier.onnx import OnnxClassifier

        return OnnxClassifier(
            providers=providers, threads=threads, batch=batch, model_path=model_path
        )
    if engine == "opennsfw2":
        from tasks.classifier.opennsfw2 import Opennsfw2Classifier

        return Opennsfw2Classifier(weights_path=weights_path, model_path=model_path)
    if engine == "remote":
        from tasks.classifier.remote import RemoteClassifier

        return RemoteClassifier(url, key=key)
    raise ValueError(f"unknown engine {engine!r}; the engines are {', '.join(ENGINES)}")


def _make(settings: Settings) -> Classifier:
    name, given = settings.nsfw_engine, settings.nsfw_model or None
    return load(
        name,
        providers=names(settings.nsfw_providers),
        threads=settings.nsfw_threads,
        batch=settings.nsfw_batch,
        model_path=given if name == "onnx" else None,
        weights_path=given if name == "opennsfw2" else None,
        url=settings.moderation_image_service_url,
        key=settings.moderation_image_service_key or None,
    )


engine = per_process(_make)  # raises ClassifierDown if none can be made; the next call tries again
