"""Pictures for signed-in moderators: thumbnails to view, originals to zoom into or to download.

If storage is a folder, nginx sends the bytes (``X-Accel-Redirect``) and Flask only names the file.
If it is a bucket, for which nginx has no key, Flask sends them.
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
from tasks.images.file_formats import FORMATS
from tasks.storage import Storage
from webapp.signin import auth

media = Blueprint("media", __name__, url_prefix="/console/media")

ENDINGS = {one.media_type: one.ending for one in FORMATS.values()}


@media.get("/<uuid:image_id>/thumbnail")
@login_required
def thumbnail(image_id: UUID) -> Response:
    """The re-encoded WebP of a picture, at most 640 pixels wide."""
    image = _image(image_id)
    if not image.thumbnail:
        raise NotFound("This picture has no thumbnail.")
    return _preview(storage.thumbnail(image.storage_key))


@media.get("/<uuid:image_id>/heat")
@login_required
def heat(image_id: UUID) -> Response:
    """The thumbnail with the heatmap of the classifier on top."""
    image = _image(image_id)
    if not image.heat:
        raise NotFound("This picture has no heatmap yet.")
    return _preview(storage.heat(image.storage_key))


@media.get("/<uuid:image_id>/frame/<int:frame>")
@login_required
def still(image_id: UUID, frame: int) -> Response:
    """One frame of an animation, if it has a preview."""
    image = _image(image_id)
    if frame not in [index for index, _ in image.stills]:
        raise NotFound("This frame has no preview.")
    return _preview(storage.still(image.storage_key, frame))


@media.get("/<uuid:image_id>/view")
@login_required
@auth.decides
def view(image_id: UUID) -> Response:
    """The original of a still picture, to zoom into. Safe although strangers made it:

    1. it is a raster format, which the confined decoder has read: only then it has a thumbnail;
    2. it has the media type of its bytes and ``nosniff``, so it is never a page or a script;
    3. a browser shows it in an ``<img>`` only. Opened as a page it is refused by its destination;
       if the browser names none, as without HTTPS, it is a download, which ``<img>`` ignores.
    """
    image = _image(image_id)
    if not image.thumbnail or (image.frames or 1) > 1 or image.media_type not in ENDINGS:
        raise NotFound("Only still pictures that were read can be enlarged.")
    if request.headers.get("Sec-Fetch-Dest", "image") != "image":
        raise NotFound("An original is shown in the console only. It can be downloaded there.")
    response = _send(storage.original(image.storage_key), image.media_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Content-Disposition"] = f'attachment; filename="{download_name(image)}"'
    return response


@media.get("/<uuid:image_id>/original")
@login_required
@auth.decides
def original(image_id: UUID) -> Response:
    """The uploaded bytes as a download that no browser executes or displays."""
    image = _image(image_id)
    response = _send(storage.original(image.storage_key), "application/octet-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Content-Disposition"] = f'attachment; filename="{download_name(image)}"'
    return response


def download_name(image: Image) -> str:
    """A safe file name for a download: plain letters of the given name, suffix of the real type."""
    plain = unicodedata.normalize("NFKD", image.given_name)
    stem = re.sub(r"\.\w{1,5}$", "", secure_filename(plain))[:80]
    return f"{stem or 'picture'}.{ENDINGS.get(image.media_type, 'bin')}"


def _image(image_id: UUID) -> Image:
    image: Image | None = Image.get_or_none(Image.id == image_id)
    if image is None:
        raise NotFound("This picture does not exist.")
    return image


def _preview(name: str) -> Response:
    """A preview of a picture, which the browser may cache for an hour."""
    response = _send(name, "image/webp")
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


def _send(name: str, media_type: str) -> Response:
    settings = get_settings()
    if is_bucket(settings.storage_url):
        return _from_bucket(storage.of(settings), name, media_type)
    if current_app.config.get("WITHOUT_NGINX"):
        return send_file(storage.of(settings).root / name, mimetype=media_type)
    response = Response(mimetype=media_type)
    response.headers["X-Accel-Redirect"] = f"/_media/{name}"
    del response.headers["Content-Length"]
    return response


def _from_bucket(store: Storage, name: str, media_type: str) -> Response:
    """The file as a stream from the bucket, or the range that the browser requests."""
    try:
        stored = store.open(name)
    except FileNotFoundError:
        raise NotFound("This picture was deleted.") from None
    response = Response(stored.chunks, mimetype=media_type)
    response.headers["X-Accel-Buffering"] = "no"
    response.content_length = stored.size
    return cast(
        "Response", response.make_conditional(request.environ, True, complete_length=stored.size)
    )
