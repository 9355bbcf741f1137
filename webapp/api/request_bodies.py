"""The bodies of the API's requests, as OpenAPI describes them.

Generators of clients make classes and parameters from these schemas. So an object is only a list
of its properties, with a name under ``components``; what its fields must be together, and what a
generator would take for two types, is said by ``not``, which generators leave out.
"""

from __future__ import annotations

from typing import Any

from models.errors import readable_size
from models.moderation.appeal import LONGEST
from models.policies.policy import SURFACE
from models.settings import Settings
from models.submissions.submission import PRIORITIES
from webapp.api.schemas import ref
from webapp.uploads import fields, sniff
from webapp.uploads.body_file import ANY_TYPE

_VISIBLE = fields.VISIBLE.replace("\\x", "\\u00")
_NO_NUL = r"^[^\u0000]*$"
_NOT_BLANK = rf"^[^\u0000]*{_VISIBLE}[^\u0000]*$"
_ABSENT: dict[str, Any] = {"not": {}}
_BLANK = {"not": {"type": "string", "pattern": _VISIBLE}}  # or null
_PICTURES = {"encoding": {"images": {"contentType": ", ".join(sniff.ACCEPTED_TYPES)}}}


def upload() -> dict[str, Any]:
    """The content of an upload by its media type; generators of one type take the first.

    JSON is left out: openapi-generator takes it before all others, and has no body for it then.
    """
    return {
        "multipart/form-data": {"schema": ref("Upload"), **_PICTURES},
        "application/x-www-form-urlencoded": {"schema": ref("TextForm")},
    }


def text() -> dict[str, Any]:
    """The content of an upload without pictures."""
    return {"application/json": {"schema": ref("TextUpload")}}


def picture_content(settings: Settings) -> dict[str, Any]:
    """The content of an upload that is one picture."""
    picture = {"schema": {**_picture(settings), "minLength": 1}}
    return dict.fromkeys((ANY_TYPE, "image/*"), picture)


def pictures() -> dict[str, Any]:
    """The content of pictures that are only scored."""
    return {"multipart/form-data": {"schema": ref("Pictures"), **_PICTURES}}


def appeal() -> dict[str, Any]:
    """The content of an appeal."""
    return {"application/json": {"schema": ref("AppealRequest")}}


def schemas(settings: Settings) -> dict[str, Any]:
    """The schemas of these bodies by name."""
    images = _images(settings)
    nullable = {name: _or_null(schema) for name, schema in texts().items()}
    nullable["user_id"] = texts()["user_id"]
    message = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": _NOT_BLANK}
    return {
        "Upload": _upload({**texts(), "images": images}, images=_ABSENT),
        "TextUpload": _upload(nullable),
        "TextForm": _upload(texts()),
        "Pictures": {
            "type": "object",
            "required": ["images"],
            "properties": {"images": images},
        },
        "AppealRequest": {
            "type": "object",
            "required": ["job_id", "message"],
            "properties": {"job_id": {"type": "string", "format": "uuid"}, "message": message},
            "additionalProperties": False,
        },
    }


def texts() -> dict[str, Any]:
    """The schemas of the text fields by name; none may contain NUL."""
    named: dict[str, Any] = {
        name: {"type": "string", "maxLength": longest, "pattern": _NO_NUL}
        for name, longest in fields.LONGEST.items()
    }
    named["user_id"] |= {"minLength": 1, "pattern": _NOT_BLANK}
    named["user_ip"] = {
        "type": "string",
        "description": "IPv4 or IPv6 address of the author",
        "pattern": f"^(?:{_ip_address()})?$",
    }
    named["surface"] = {
        "type": "string",
        "description": "where in your site it stands, such as avatar; it may have its own policy",
        "pattern": f"^(?:{SURFACE.pattern})?$",
    }
    named["priority"] = {"type": "string", "enum": [*PRIORITIES, ""], "default": "normal"}
    return named


def _upload(properties: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    """The schema of an upload: its author, and at least one thing to moderate."""
    nothing = {"title": _BLANK, "description": _BLANK, **more}
    return {
        "type": "object",
        "description": f"At least one of {', '.join(nothing)} is required.",
        "required": ["user_id"],
        "properties": properties,
        "additionalProperties": False,
        "not": {"properties": nothing},
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field that may also be null, which is the same as a missing field."""
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def _ip_address() -> str:
    """A regular expression of IPv4 and IPv6 addresses, by the grammar of RFC 3986.

    A schema with two formats would be of two types for a generator.
    """
    number = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    ipv4 = rf"(?:{number}\.){{3}}{number}"
    group = "[0-9A-Fa-f]{1,4}"
    last = f"(?:{group}:{group}|{ipv4})"
    ends = [f"(?:{group}:){{{5 - left}}}{last}" for left in range(6)] + [group, ""]
    ipv6 = [f"(?:{group}:){{6}}{last}", f"::{ends[0]}", f"(?:{group})?::{ends[1]}"]
    ipv6 += [
        f"(?:(?:{group}:){{0,{left - 1}}}{group})?::{end}"
        for left, end in enumerate(ends[2:], start=2)
    ]
    return "|".join([ipv4, *ipv6])


def _images(settings: Settings) -> dict[str, Any]:
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": settings.max_files_per_request,
        "items": _picture(settings),
    }


def _picture(settings: Settings) -> dict[str, Any]:
    return {
        "type": "string",
        "format": "binary",
        "description": f"at most {readable_size(settings.max_file_size)}",
    }
