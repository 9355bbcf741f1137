"""A picture as the body of a request: nginx writes it to a file and sends its path in a header.

nginx sets the header on each request and overwrites what a client sent: it is nginx's value or
empty. It is still checked: it must name a file directly in nginx's folder for bodies. If hosts
other than nginx can reach the application (WEB_LISTEN), the header is ignored and the body is read
from the connection.
"""

from __future__ import annotations

import re
from pathlib import Path

from flask import request

from models.errors import Malformed
from models.settings import get_settings
from tasks.servers.layout import BODIES
from tasks.storage.hard_linked_upload import HardLinkedUpload
from webapp.http.offload import offload

HEADER = "X-Body-File"
ANY_TYPE = "application/octet-stream"  # what libraries send for bytes of which they know no more
MAX_INLINE_HASH = 512 * 1024  # bytes; hashing more would delay other requests
_NAME = re.compile(r"[0-9]{1,20}", re.ASCII)


def take() -> None:
    """Take the body as the only upload of this request; raises Malformed or TooLarge."""
    if request.mimetype != ANY_TYPE and not request.mimetype.startswith("image/"):
        raise Malformed("Send the picture as the body, with its media type, such as image/jpeg.")
    path = request.headers.get(HEADER)
    if path and not get_settings().web_listen:
        upload = request.take(_file(path))  # type: ignore[attr-defined]
        _hash(upload)
    else:
        upload = request.take_body()  # type: ignore[attr-defined]
    if not upload.size:
        raise Malformed("The body is empty: send the picture as the body.")


def _hash(upload: HardLinkedUpload) -> None:
    """Hash small files here: 100 KB take 0.07 ms, less than a call in a real thread."""
    if upload.size <= MAX_INLINE_HASH:
        upload.hash()
    else:
        offload(upload.hash)


def _file(path: str) -> Path:
    folder, _, name = path.rpartition("/")
    if folder != str(get_settings().sluice_home / BODIES) or not _NAME.fullmatch(name):
        raise Malformed("The body is not in the folder for bodies.")
    return Path(path)
