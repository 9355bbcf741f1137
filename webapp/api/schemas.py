"""The JSON Schemas of the API's documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MEANINGS = {
    400: "The body cannot be read",
    401: "The API key is missing or not valid",
    403: "The author is suspended",
    404: "This client has no such submission or author",
    409: "The Idempotency-Key was used with different content, or this cannot be appealed",
    413: "Too many bytes or pixels",
    414: "The URL exceeds 8 KB",
    415: "The picture format is not accepted",
    422: "A field is not valid; `field` names it",
    429: "A rate limit is used up; Retry-After gives the seconds until it has room",
    503: "Overloaded, or a dependency is down; Retry-After gives the seconds to wait",
}

_INTEGER, _NUMBER, _STRING, _BOOLEAN = (
    {"type": name} for name in ("integer", "number", "string", "boolean")
)
_URL = {"type": "string", "format": "uri"}
_ID = {"type": "string", "format": "uuid"}


def build(
    modes: Sequence[str], statuses: Sequence[str], verdicts: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """Every schema by name; modes, statuses, verdicts and labels become enumerations."""
    common = {
        "job_id": _ID,
        "status": {"enum": list(statuses)},
        "mode": {"enum": list(modes)},
        "external_id": _STRING,
        "visible": _BOOLEAN,
        "check_url": _URL,
    }
    decided = {
        **common,
        "verdict": {"enum": list(verdicts)},
        "review_owed": _BOOLEAN,
        "reasons": {"type": "array", "items": _reason(labels)},
    }
    waiting = {**common, "estimated_wait": {**_NUMBER, "description": "seconds"}}
    return {
        "Decided": _object(decided, optional=("external_id",)),
        "Waiting": _object(waiting, optional=("external_id",)),
        "Appeal": _object(
            {
                "job_id": _ID,
                "message": _STRING,
                "created_at": {"type": "string", "format": "date-time"},
            }
        ),
        "AuthorExport": _author_export(),
        "Stats": _stats(modes),
        "History": _history(modes, verdicts),
        "Detection": _detection(),
        "Problem": _problem(),
    }


def _object(properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
        "additionalProperties": False,
    }


def _reason(labels: Sequence[str]) -> dict[str, Any]:
    reason = {
        "check": _STRING,
        "label": {"enum": list(labels)},
        "explanation": _STRING,
        "score": {**_NUMBER, "minimum": 0, "maximum": 1},
        "image": {**_INTEGER, "minimum": 0, "description": "position of the picture, from 0"},
    }
    return _object(reason, optional=("score", "image"))


def _author_export() -> dict[str, Any]:
    listed = {"type": "array", "items": {"type": "object"}}
    return _object(
        {
            "exported_at": {"type": "string", "format": "date-time"},
            "client": _STRING,
            "user_id": _STRING,
            "author": {"type": ["object", "null"]},
            "acts": listed,
            "submissions": listed,
        }
    )


def _stats(modes: Sequence[str]) -> dict[str, Any]:
    worker = {
        "name": _STRING,
        "host": _STRING,
        "pid": _INTEGER,
        "state": {"enum": ["starting", "idle", "busy", "stale"]},
        "processed": _INTEGER,
        "errors": _INTEGER,
        "jobs_per_second": _NUMBER,
    }
    return _object(
        {
            "queue_available": _BOOLEAN,
            "queue_depth": _INTEGER,
            "queues": _object(dict.fromkeys(("priority", "normal", "review_debt"), _INTEGER)),
            "current_mode": {"enum": list(modes)},
            "estimated_wait": {**_NUMBER, "description": "seconds"},
            "capacity": _object(dict.fromkeys(("sync", "async", "fast_track"), _STRING)),
            "throughput": {**_NUMBER, "description": "submissions decided per second"},
            "workers": {"type": "array", "items": _object(worker)},
        }
    )


def _history(modes: Sequence[str], verdicts: Sequence[str]) -> dict[str, Any]:
    seconds = {"type": ["number", "null"], "description": "seconds from upload to first verdict"}
    counts = {
        "received": _INTEGER,
        "modes": _object(dict.fromkeys(modes, _INTEGER)),
        "verdicts": {
            **_object(dict.fromkeys(verdicts, _INTEGER)),
            "description": "first verdicts, made by the machine",
        },
        "wait_mean": seconds,
        "wait_p95": seconds,
        "reviewed": {**_INTEGER, "description": "decisions of moderators, without undone ones"},
        "overturned": {**_INTEGER, "description": "rejections that a moderator approved"},
        "missed": {**_INTEGER, "description": "approvals that a moderator rejected"},
        "appeals": _INTEGER,
    }
    at = {**_INTEGER, "description": "start of the step, Unix time in seconds"}
    return _object(
        {
            "range": _STRING,
            "step": {**_INTEGER, "description": "seconds"},
            "until": _INTEGER,
            "points": {"type": "array", "items": _object({"at": at, **counts})},
            "total": _object(counts),
        }
    )


def _detection() -> dict[str, Any]:
    digest = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    doubts = {
        "type": "array",
        "items": _STRING,
        "description": "what the score does not cover, as missing data; a submission with such a"
        " picture goes to review",
    }
    return _object(
        {
            "score": {**_NUMBER, "minimum": 0, "maximum": 1},
            "width": _INTEGER,
            "height": _INTEGER,
            "frames": _INTEGER,
            "sha256": digest,
            "pdq": digest,
            "doubts": doubts,
        }
    )


def _problem() -> dict[str, Any]:
    limit = _object({"limit": _INTEGER, "before": _INTEGER, "reason": _STRING})
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": _URL,
            "title": _STRING,
            "status": _INTEGER,
            "detail": _STRING,
            "field": {**_STRING, "description": "the field that is not valid"},
            "adaptive_limit": {
                **limit,
                "description": "this client's adaptive limit in uploads per minute",
            },
            "lowered": {
                **limit,
                "description": "the old name of adaptive_limit",
                "deprecated": True,
            },
        },
        "additionalProperties": False,
    }
