"""Intake: from a request to a valid upload whose files are on the disk."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from typing import Any

from flask import current_app, request

from models.errors import Invalid, Malformed
from models.settings import Settings
from models.submission import PRIORITIES
from tasks.storage import Upload, sync_folder
from webapp import sniff
from webapp.offload import offload
from webapp.timing import measured

LONGEST = {"user_id": 200, "title": 1000, "description": 100_000, "external_id": 200}
FIELDS = (*LONGEST, "user_ip", "priority")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A valid upload: its texts, its address and its files, which are on the disk."""

    user_id: str
    title: str
    description: str
    external_id: str | None
    address: str | None
    priority: str
    uploads: tuple[Upload, ...]

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of everything that was sent."""
        texts = (self.user_id, self.title, self.description, self.external_id, self.address)
        sent = [*texts, self.priority, *(upload.sha256.hex() for upload in self.uploads)]
        return hashlib.sha256(json.dumps(sent).encode()).digest()


def receive_images() -> tuple[Upload, ...]:
    """The pictures of a request that has nothing else; raises the domain's errors."""
    if request.mimetype != "multipart/form-data":
        raise Malformed("Send multipart/form-data with images.")
    if set(request.files) != {"images"}:
        raise Invalid("Send one or more files in the field images.", field="images")
    uploads = tuple(request.__dict__["uploads"])
    for upload in uploads:
        sniff.inspect(upload, _settings())
    return uploads


def receive() -> Incoming:
    """The request's upload, whose files are on the disk; raises the domain's errors."""
    with measured("receive"):
        fields = _fields()
        uploads = tuple(request.__dict__.get("uploads", ()))
    incoming = _validated(fields, uploads)
    with measured("fsync"):
        if uploads:
            offload(_onto_disk, uploads)
    return incoming


def _fields() -> dict[str, Any]:
    """The text fields of a multipart, form or JSON request."""
    if request.mimetype == "application/json":
        fields = request.get_json(silent=True)
        if not isinstance(fields, dict):
            raise Malformed("The body is not a JSON object.")
        unknown = sorted(set(fields) - set(FIELDS))
        if "images" in unknown:
            raise Invalid("Send images as multipart/form-data.", field="images")
    elif request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        fields = request.form.to_dict()
        unknown = sorted(set(fields) - set(FIELDS) - {"images"})
        wrong = set(request.files) - {"images"}
        if wrong:
            raise Invalid("Files go into the field images.", field=min(wrong))
    else:
        raise Malformed("Send multipart/form-data, or application/json for text alone.")
    if not fields and not request.files:
        raise Malformed("The body is empty.")
    if unknown:
        raise Invalid(f"There is no field {unknown[0]!r}.", field=unknown[0])
    return fields


def _validated(fields: dict[str, Any], uploads: tuple[Upload, ...]) -> Incoming:
    texts = {name: _text(fields, name) for name in LONGEST}
    if not texts["user_id"].strip():
        raise Invalid("user_id is missing; it says who made this upload.", field="user_id")
    if not (texts["title"].strip() or texts["description"].strip() or uploads):
        raise Invalid("There is nothing to moderate: send a title, a description or an image.")
    priority = fields.get("priority") or "normal"
    if priority not in PRIORITIES:
        raise Invalid(f"priority is one of {', '.join(PRIORITIES)}.", field="priority")
    for upload in uploads:
        sniff.inspect(upload, _settings())
    return Incoming(
        user_id=texts["user_id"],
        title=texts["title"],
        description=texts["description"],
        external_id=texts["external_id"] or None,
        address=_address(fields.get("user_ip")),
        priority=priority,
        uploads=uploads,
    )


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{name} is not a text.", field=name)
    if len(value) > LONGEST[name]:
        raise Invalid(f"{name} has at most {LONGEST[name]:,} characters.", field=name)
    if "\0" in value:
        raise Invalid(f"{name} holds a NUL character.", field=name)
    if not _is_unicode(value):
        raise Invalid(f"{name} holds half a character (a lone surrogate).", field=name)
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _address(value: Any) -> str | None:
    """The network that is limited and remembered: an IPv4 address, or an IPv6 /64."""
    if value in (None, ""):
        return None
    try:
        address = ipaddress.ip_address(str(value).strip())
    except ValueError as error:
        raise Invalid("user_ip is not an IP address.", field="user_ip") from error
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _onto_disk(uploads: tuple[Upload, ...]) -> None:
    for upload in uploads:
        upload.finish()
    for folder in {upload.path.parent for upload in uploads}:
        sync_folder(folder)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
