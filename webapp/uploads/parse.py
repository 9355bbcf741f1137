"""From a request to a valid upload, whose files are written but not yet synced to disk."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from typing import Any

from flask import request

from models.errors import Invalid, Malformed
from models.policies.policy import DEFAULT_SURFACE, SURFACE, SURFACE_RULE
from models.settings import get_settings
from models.submissions.submission import PRIORITIES
from tasks import storage
from tasks.storage import Upload
from webapp.http.timing import measured
from webapp.limits.network import network_of
from webapp.uploads import body_file, fields, sniff


@dataclass(frozen=True, slots=True)
class Incoming:
    """A valid upload: its texts, the author's address and the files, which are fully written."""

    user_id: str
    title: str
    description: str
    external_id: str | None
    address: str | None
    priority: str
    surface: str
    uploads: tuple[Upload, ...]

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of everything that was sent."""
        texts = (self.user_id, self.title, self.description, self.external_id, self.address)
        sent = [
            *texts,
            self.priority,
            *filter(None, [self.surface]),
            *(upload.sha256.hex() for upload in self.uploads),
        ]
        return hashlib.sha256(json.dumps(sent).encode()).digest()


def receive_images() -> tuple[Upload, ...]:
    """The pictures of a request without other fields, stored where a worker can read them.

    Raises Malformed, Invalid, Unsupported or TooLarge.
    """
    if request.mimetype != "multipart/form-data":
        raise Malformed("Send multipart/form-data with images.")
    if set(request.files) != {"images"}:
        raise Invalid("Send one or more files in the field images.", field="images")
    uploads = tuple(request.__dict__["uploads"])
    for upload in uploads:
        sniff.inspect(upload, get_settings())
    store = storage.of(get_settings())
    if not store.blocks:  # a worker on another host reads them from the bucket
        store.keep(uploads)
    return uploads


def receive() -> Incoming:
    """The upload of a multipart, form or JSON request; raises Malformed, Invalid and others."""
    with measured("receive"):
        given = fields.read()
        uploads = tuple(request.__dict__.get("uploads", ()))
    return _validated(given, uploads)


def receive_text() -> Incoming:
    """The upload of a JSON request; raises the same errors."""
    with measured("receive"):
        given = fields.of_json()
    return _validated(given, ())


def receive_image() -> Incoming:
    """The upload of a request whose body is one picture; raises the same errors."""
    with measured("receive"):
        given = fields.of_query()
        body_file.take()
        uploads = tuple(request.__dict__["uploads"])
    return _validated(given, uploads)


def _validated(given: dict[str, Any], uploads: tuple[Upload, ...]) -> Incoming:
    texts = {name: _text(given, name) for name in fields.LONGEST}
    if fields.is_blank(texts["user_id"]):
        raise Invalid("user_id is required: the id of the author at your site.", field="user_id")
    if not uploads and fields.is_blank(texts["title"] + texts["description"]):
        raise Invalid("Nothing to moderate: send a title, a description or an image.")
    priority = given.get("priority")
    if priority in (None, ""):
        priority = "normal"
    if priority not in PRIORITIES:
        raise Invalid(f"priority must be one of {', '.join(PRIORITIES)}.", field="priority")
    surface = _surface(given.get("surface"))
    for upload in uploads:
        sniff.inspect(upload, get_settings())
    return Incoming(
        user_id=texts["user_id"],
        title=texts["title"],
        description=texts["description"],
        external_id=texts["external_id"] or None,
        address=_address(given.get("user_ip")),
        priority=priority,
        surface=surface,
        uploads=uploads,
    )


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{name} must be a string.", field=name)
    longest = fields.LONGEST[name]
    if len(value) > longest:
        raise Invalid(f"{name} must have at most {longest:,} characters.", field=name)
    if "\0" in value:
        raise Invalid(f"{name} contains a NUL character.", field=name)
    if not _is_unicode(value):
        raise Invalid(f"{name} contains a lone surrogate: it is not valid Unicode.", field=name)
    return value


def _surface(value: Any) -> str:
    """The surface of the upload; empty, and the word "default", are the client's default."""
    if value in (None, "", DEFAULT_SURFACE):
        return ""
    if not isinstance(value, str) or not SURFACE.fullmatch(value):
        raise Invalid(f"surface must have {SURFACE_RULE}.", field="surface")
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _address(value: Any) -> str | None:
    """The network to limit and to store: an IPv4 address, or an IPv6 /64."""
    if value in (None, ""):
        return None
    try:
        address = ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Invalid("user_ip is not an IP address.", field="user_ip") from error
    if getattr(address, "scope_id", None) is not None:
        raise Invalid("user_ip must not have a zone (the part after %).", field="user_ip")
    return network_of(address)
