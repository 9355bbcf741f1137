"""This process's classifier engine, as the settings choose it."""

from __future__ import annotations

from functools import cache

from models.settings import names
from tasks import classifier
from tasks.classifier.base import Classifier
from tasks.queue.lanes import settings


@cache
def engine() -> Classifier:
    """The engine, made when it is first needed; raises ClassifierDown where none can be."""
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
