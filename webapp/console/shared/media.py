"""Pictures for those who are signed in: thumbnails to look at, originals to download.

nginx sends the bytes of a folder (``X-Accel-Redirect``); Flask only says which. Those of a bucket,
for which nginx has no key, go through Flask.
"""

from __future__ import annotations

import re
import unicodedata
from typing import cast
from uuid import UUID

from flask import Blueprint, Response, current_app, request, send_file
from flask_login import login_required
from werkzeug.utils import secure_filename

from models.errors import NotFound
from models.settings import get_settings
from models.settings.urls import is_bucket
from models.submissions.image import Image
from tasks import storage
from tasks.storage import ORIGINALS, THUMBNAILS, Storage
from webapp.signin import auth

media = Blueprint("media", __name__, url_prefix="/console/media")

ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heif": "heif",
    "image/heic": "heic",
}


@media.get("/<uuid:image_id>/thumbnail")
@login_required
def thumbnail(image_id: UUID) -> Response:
    """The re-encoded WebP of a picture, at most 640 pixels wide."""
    image = _image(image_id)
    if not image.thumbnail:
        raise NotFound("This picture has no thumbnail.")
    return _kept(f"{image.storage_key}.webp")


@media.get("/<uuid:image_id>/heat")
@login_required
def heat(image_id: UUID) -> Response:
    """The thumbnail under what the network looked at."""
    image = _image(image_id)
    if not image.heat:
        raise NotFound("This picture has no heatmap yet.")
    return _kept(f"{image.storage_key}.heat.webp")


@media.get("/<uuid:image_id>/frame/<int:frame>")
@login_required
def still(image_id: UUID, frame: int) -> Response:
    """One frame of an animation, if it is among those that were drawn."""
    image = _image(image_id)
    if frame not in [index for index, _ in image.stills]:
        raise NotFound("This frame was not drawn.")
    return _kept(f"{image.storage_key}.frame{frame}.webp")


@media.get("/<uuid:image_id>/original")
@login_required
@auth.decides
def original(image_id: UUID) -> Response:
    """The bytes that were uploaded, as a download that no browser will run or show."""
    image = _image(image_id)
    reply = _send(ORIGINALS, image.storage_key, "application/octet-stream")
    reply.headers["Cache-Control"] = "no-store"
    reply.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    reply.headers["Content-Disposition"] = f'attachment; filename="{download_name(image)}"'
    return reply


def download_name(image: Image) -> str:
    """A harmless name for a download: the given one's letters, the ending of the real type."""
    plain = unicodedata.normalize("NFKD", image.given_name)
    stem = re.sub(r"\.\w{1,5}$", "", secure_filename(plain))[:80]
    return f"{stem or 'picture'}.{ENDINGS.get(image.media_type, 'bin')}"


def _image(image_id: UUID) -> Image:
    image: Image | None = Image.get_or_none(Image.id == image_id)
    if image is None:
        raise NotFound("There is no such picture.")
    return image


def _kept(key: str) -> Response:
    """What was drawn from a picture; the browser may keep it for an hour."""
    reply = _send(THUMBNAILS, key, "image/webp")
    reply.headers["Cache-Control"] = "private, max-age=3600"
    return reply


def _send(folder: str, key: str, media_type: str) -> Response:
    settings = get_settings()
    if is_bucket(settings.storage_url):
        return _through(storage.of(settings), f"{folder}/{key}", media_type)
    if current_app.config.get("WITHOUT_NGINX"):
        return send_file(storage.of(settings).root / folder / key, mimetype=media_type)
    reply = Response(mimetype=media_type)
    reply.headers["X-Accel-Redirect"] = f"/_media/{folder}/{key}"
    del reply.headers["Content-Length"]
    return reply


def _through(store: Storage, name: str, media_type: str) -> Response:
    """The file as it comes from the store, or the range of it that the browser asks for."""
    try:
        stored = store.open(name)
    except FileNotFoundError:
        raise NotFound("This picture is gone.") from None
    reply = Response(stored.chunks, mimetype=media_type)
    reply.headers["X-Accel-Buffering"] = "no"
    reply.content_length = stored.size
    return cast(
        "Response", reply.make_conditional(request.environ, True, complete_length=stored.size)
    )
