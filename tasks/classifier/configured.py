"""This process's classifier engine, as the settings choose it."""

from __future__ import annotations

from models.settings import Settings, names, per_process
from tasks import classifier
from tasks.classifier.base import Classifier


def _make(settings: Settings) -> Classifier:
    name, given = settings.nsfw_engine, settings.nsfw_model or None
    return classifier.load(
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
