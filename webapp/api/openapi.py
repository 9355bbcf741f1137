"""``GET /api/openapi.json``: the description of the API, built from the code's constants."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from models.capacity.mode import MODES
from models.labels.label_index import labels
from models.settings import Settings, get_settings
from models.statistics import history
from models.submissions.submission import STATUSES
from models.verdict import VERDICTS
from webapp.api import request_bodies, schemas, stats, webhooks
from webapp.api.schemas import ref
from webapp.api.status import LONGEST_WAIT

VERSION = "1.1"
UPLOAD_ERRORS = (400, 401, 403, 409, 413, 415, 422, 429, 503)
READ_ERRORS = (400, 401, 429, 503)
NAMED_ERRORS = (*READ_ERRORS, 404, 414)

_PRINTABLE = r"^[!-~]([ -~]*[!-~])?$"
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 255, "pattern": _PRINTABLE},
}
_STATUS_LINK = {"operationId": "status", "parameters": {"job_id": "$response.body#/job_id"}}
_LINKS = {"links": {"status": _STATUS_LINK}}


def register(blueprint: Blueprint, url: str) -> None:
    """Register the call."""
    blueprint.add_url_rule(f"{url}/openapi.json", view_func=document)


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of this server, with its settings' limits."""
    settings = get_settings()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice",
            "version": VERSION,
            "description": "Send each upload; get a verdict in the response or later by job id.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": settings.url}],
        "security": [{"key": []}],
        "paths": _paths(settings),
        "webhooks": webhooks.paths(),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **schemas.build(MODES, STATUSES, VERDICTS, labels.get().names),
                **request_bodies.schemas(settings),
                **webhooks.schemas(),
            },
        },
    }


def _paths(settings: Settings) -> dict[str, Any]:
    return {
        "/api/moderation/submissions": {"post": _submit()},
        "/api/moderation/submissions/image": {"post": _submit_image(settings)},
        "/api/moderation/submissions/text": {"post": _submit_text()},
        "/api/moderation/submissions/{job_id}": {"delete": _erase("job_id")},
        "/api/moderation/authors/{user_id}": {"delete": _erase("user_id")},
        "/api/moderation/authors/{user_id}/export": {"get": _export()},
        "/api/moderation/appeals": {"post": _appeal()},
        "/api/moderation/status/{job_id}": {"get": _status()},
        "/api/moderation/stats": {"get": _stats()},
        "/api/moderation/stats/history": {"get": _history()},
        "/api/moderation/labels": {"get": _labels()},
        "/api/moderation/detect": {"post": _detect()},
        "/api/openapi.json": {"get": _openapi()},
    }


def _submit() -> dict[str, Any]:
    return {
        "operationId": "submit",
        "summary": "Send an upload",
        "description": "It takes application/json too, as submit_text does.",
        "parameters": [_IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": request_bodies.upload()},
        "responses": {**_accepted(), **_problems(*UPLOAD_ERRORS)},
    }


def _submit_text() -> dict[str, Any]:
    return {
        "operationId": "submit_text",
        "summary": "Send texts as JSON",
        "parameters": [_IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": request_bodies.text()},
        "responses": {**_accepted(), **_problems(*UPLOAD_ERRORS)},
    }


def _submit_image(settings: Settings) -> dict[str, Any]:
    names = [
        {"name": name, "in": "query", "required": name == "user_id", "schema": schema}
        for name, schema in request_bodies.texts().items()
    ]
    return {
        "operationId": "submit_image",
        "summary": "Send one picture as the body",
        "parameters": [_IDEMPOTENCY_KEY, *names],
        "requestBody": {"required": True, "content": request_bodies.picture_content(settings)},
        "responses": {**_accepted(), **_problems(*UPLOAD_ERRORS, 414)},
    }


def _accepted() -> dict[str, Any]:
    return {
        "200": {**_json("The verdict", "Decided"), **_LINKS},
        "202": {**_json("Accepted: poll check_url for the verdict", "Waiting"), **_LINKS},
    }


def _status() -> dict[str, Any]:
    return {
        "operationId": "status",
        "summary": "Get the status of an upload",
        "parameters": [
            {
                "name": "job_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            },
            {
                "name": "wait",
                "in": "query",
                "description": "long poll: seconds to wait for the decision",
                "schema": {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT},
            },
        ],
        "responses": {
            "200": {
                "description": "The current state of the submission",
                "content": {
                    "application/json": {
                        "schema": {"anyOf": [ref("Decided"), ref("Waiting")]},
                    }
                },
            },
            **_problems(*NAMED_ERRORS, 422),
        },
    }


def _appeal() -> dict[str, Any]:
    return {
        "operationId": "appeal",
        "summary": "Ask a person to review a rejection",
        "requestBody": {"required": True, "content": request_bodies.appeal()},
        "responses": {
            "201": _json("Accepted: the webhook appeal.decided reports the outcome", "Appeal"),
            **_problems(400, 401, 404, 409, 413, 422, 503),
        },
    }


def _erase(name: str) -> dict[str, Any]:
    subject = "a submission" if name == "job_id" else "an author and all their submissions"
    return {
        "operationId": "erase_submission" if name == "job_id" else "erase_author",
        "summary": f"Erase {subject}; idempotent",
        "parameters": [_in_path(name)],
        "responses": {"204": {"description": "Erased"}, **_problems(*NAMED_ERRORS)},
    }


def _export() -> dict[str, Any]:
    archive = {"type": "string", "format": "binary"}
    return {
        "operationId": "export_author",
        "summary": "Export all data held about an author",
        "parameters": [
            _in_path("user_id"),
            {
                "name": "format",
                "in": "query",
                "description": "zip: the same document as author.json, plus the originals",
                "schema": {"type": "string", "enum": ["json", "zip"], "default": "json"},
            },
        ],
        "responses": {
            "200": {
                "description": "The document, or the archive",
                "content": {
                    "application/json": {"schema": ref("AuthorExport")},
                    "application/zip": {"schema": archive},
                },
            },
            **_problems(*NAMED_ERRORS, 422),
        },
    }


def _in_path(name: str) -> dict[str, Any]:
    kind: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "job_id":
        kind = {"type": "string", "format": "uuid"}
    return {"name": name, "in": "path", "required": True, "schema": kind}


def _stats() -> dict[str, Any]:
    return {
        "operationId": "stats",
        "summary": "Get the load of the server",
        "responses": {"200": _json("The load", "Stats"), **_problems(*READ_ERRORS)},
    }


def _history() -> dict[str, Any]:
    return {
        "operationId": "history",
        "summary": "Get this client's counts over time",
        "parameters": [
            {
                "name": "range",
                "in": "query",
                "schema": {
                    "type": "string",
                    "enum": list(history.SPANS),
                    "default": stats.RANGE,
                },
            }
        ],
        "responses": {
            "200": _json("Counts per step, oldest first", "History"),
            **_problems(*READ_ERRORS, 414, 422),
        },
    }


def _labels() -> dict[str, Any]:
    results = {"type": "array", "items": ref("Label")}
    return {
        "operationId": "labels",
        "summary": "List the labels that a reason can have",
        "responses": {
            "200": {
                "description": "All labels in their order, retired ones too",
                "content": {"application/json": {"schema": results}},
            },
            **_problems(*READ_ERRORS),
        },
    }


def _detect() -> dict[str, Any]:
    results = {"type": "array", "items": ref("Detection")}
    return {
        "operationId": "detect",
        "summary": "Score pictures without storing them",
        "requestBody": {"required": True, "content": request_bodies.pictures()},
        "responses": {
            "200": {
                "description": "One result per picture, in the order sent",
                "content": {"application/json": {"schema": results}},
            },
            **_problems(400, 401, 413, 415, 422, 429, 503),
        },
    }


def _openapi() -> dict[str, Any]:
    any_object = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "openapi",
        "summary": "Get this document",
        "security": [],
        "responses": {
            "200": {"description": "The document", "content": any_object},
            **_problems(400, 429, 503),
        },
    }


def _problems(*statuses: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    responses: dict[str, Any] = {
        str(status): {"description": schemas.MEANINGS[status], "content": content}
        for status in statuses
    }
    for status in ("429", "503"):
        if status in responses:
            responses[status] = {
                **responses[status],
                "headers": {"Retry-After": {"schema": {"type": "integer"}}},
            }
    return responses


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": ref(schema)}}
    return {"description": description, "content": content}
