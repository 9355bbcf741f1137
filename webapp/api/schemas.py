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

_INTEGER, _NUMBER, STRING, BOOLEAN = (
    {"type": name} for name in ("integer", "number", "string", "boolean")
)
_URL = {"type": "string", "format": "uri"}
TIME = {"type": "string", "format": "date-time"}
_ID = {"type": "string", "format": "uuid"}


def build(
    modes: Sequence[str], statuses: Sequence[str], verdicts: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """Every schema of a reply by name; modes, statuses and verdicts become enumerations."""
    common = {
        "job_id": _ID,
        "status": ref("Status"),
        "mode": ref("Mode"),
        "external_id": STRING,
        "received_at": {**TIME, "description": "when the upload was stored"},
        "visible": BOOLEAN,
        "check_url": _URL,
    }
    decided = {
        **common,
        "decided_at": {**TIME, "description": "when it was last decided or appealed"},
        "verdict": ref("Verdict"),
        "review_owed": BOOLEAN,
        "reasons": {"type": "array", "items": ref("Reason")},
        **judged(),
    }
    undecided = {**TIME, "type": ["string", "null"], "description": "null: not decided yet"}
    wait = {**_NUMBER, "description": "seconds"}
    appeal = {"job_id": _ID, "message": STRING, "created_at": TIME}
    return {
        "Decided": object_of(decided, optional=("external_id",)),
        "Waiting": object_of(
            {**common, "decided_at": undecided, "estimated_wait": wait}, optional=("external_id",)
        ),
        "Status": _one_of(statuses),
        "Mode": _one_of(modes),
        "Verdict": _one_of(verdicts),
        "Reason": _reason(labels),
        "Label": _label(),
        "Appeal": object_of(appeal),
        "AuthorExport": _author_export(),
        "Stats": _stats(),
        "History": _history(modes, verdicts),
        "Detection": _detection(),
        "Problem": _problem(),
    }


def judged() -> dict[str, Any]:
    """The properties of what was judged by which policy, in replies and webhooks."""
    return {
        "surface": {**STRING, "description": "where in your site it stands; default if not sent"},
        "policy_version": {
            "type": ["integer", "null"],
            "description": "the newest policy version that decided it; null: before policies had"
            " versions, or the checks failed",
        },
        "scores": {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
            "description": "the highest score of each label that a detector scored",
        },
        "flagged": {
            "type": "array",
            "items": STRING,
            "description": "the labels of the reasons",
        },
    }


def ref(name: str) -> dict[str, str]:
    """A reference to the schema with this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    """The schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
        "additionalProperties": False,
    }


def _one_of(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _reason(labels: Sequence[str]) -> dict[str, Any]:
    """No enumeration of labels: a generated client would fail at the first new one."""
    named = f"what was found: {', '.join(labels)}; there may be more"
    reason = {
        "check": {**STRING, "description": "the check that found it; moderator: a person did"},
        "label": {**STRING, "description": named},
        "explanation": {**STRING, "description": "a sentence for the site's own staff"},
        "author_text": {**STRING, "description": "a sentence that the author may read"},
        "score": {**_NUMBER, "minimum": 0, "maximum": 1},
        "image": {**_INTEGER, "minimum": 0, "description": "position of the picture, from 0"},
    }
    return object_of(reason, optional=("score", "image"))


def _label() -> dict[str, Any]:
    return object_of(
        {
            "name": STRING,
            "title": STRING,
            "author_text": {**STRING, "description": "a sentence that the site can show"},
            "retired": {**BOOLEAN, "description": "earlier decisions may have it, new ones not"},
        }
    )


def _author_export() -> dict[str, Any]:
    listed = {"type": "array", "items": {"type": "object"}}
    return object_of(
        {
            "exported_at": TIME,
            "client": STRING,
            "user_id": STRING,
            "author": {"type": ["object", "null"]},
            "acts": listed,
            "submissions": listed,
        }
    )


def _stats() -> dict[str, Any]:
    worker = {
        "name": STRING,
        "host": STRING,
        "pid": _INTEGER,
        "state": _one_of(("starting", "idle", "busy", "stale")),
        "processed": _INTEGER,
        "errors": _INTEGER,
        "jobs_per_second": _NUMBER,
    }
    return object_of(
        {
            "queue_available": BOOLEAN,
            "queue_depth": _INTEGER,
            "queues": object_of(dict.fromkeys(("priority", "normal", "review_debt"), _INTEGER)),
            "current_mode": ref("Mode"),
            "estimated_wait": {**_NUMBER, "description": "seconds"},
            "capacity": object_of(dict.fromkeys(("sync", "async", "fast_track"), STRING)),
            "throughput": {**_NUMBER, "description": "submissions decided per second"},
            "workers": {"type": "array", "items": object_of(worker)},
        }
    )


def _history(modes: Sequence[str], verdicts: Sequence[str]) -> dict[str, Any]:
    seconds = {"type": ["number", "null"], "description": "seconds from upload to first verdict"}
    counts = {
        "received": _INTEGER,
        "modes": object_of(dict.fromkeys(modes, _INTEGER)),
        "verdicts": {
            **object_of(dict.fromkeys(verdicts, _INTEGER)),
            "description": "first verdicts, made by the machine",
        },
        "wait_mean": seconds,
        "wait_p95": seconds,
        "reviewed": {**_INTEGER, "description": "decisions of moderators, without undone ones"},
        "flags_decided": {
            **_INTEGER,
            "description": "flags and rejections of the machine that a moderator decided",
        },
        "flags_approved": {**_INTEGER, "description": "those of them that a moderator approved"},
        "overturned": {**_INTEGER, "description": "rejections that a moderator approved"},
        "missed": {**_INTEGER, "description": "approvals that a moderator rejected"},
        "appeals": _INTEGER,
    }
    at = {**_INTEGER, "description": "start of the step, Unix time in seconds"}
    return object_of(
        {
            "range": STRING,
            "step": {**_INTEGER, "description": "seconds"},
            "until": _INTEGER,
            "points": {"type": "array", "items": object_of({"at": at, **counts})},
            "total": object_of(counts),
        }
    )


def _detection() -> dict[str, Any]:
    digest = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    doubts = {
        "type": "array",
        "items": STRING,
        "description": "what the score does not cover, as missing data; a submission with such a"
        " picture goes to review",
    }
    return object_of(
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
    limit = object_of({"limit": _INTEGER, "before": _INTEGER, "reason": STRING})
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": _URL,
            "title": STRING,
            "status": _INTEGER,
            "detail": STRING,
            "field": {**STRING, "description": "the field that is not valid"},
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
