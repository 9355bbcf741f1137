"""The webhook calls that a client gets, as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any

from models.webhooks.delivery import EVENTS, TEST
from webapp.api.schemas import BOOLEAN, STRING, TIME, judged, object_of, ref

MEANINGS = {
    "submission.decided": "There is a verdict, or an upload that was hidden may be shown now",
    "submission.retracted": "An approved upload is no longer approved",
    "submission.restored": "A rejected upload is no longer rejected",
    "appeal.decided": "A person answered an appeal",
    TEST: "Somebody pressed “Send a test event”",
}
_HEADERS = {
    "webhook-id": "Names the event; the same in every attempt",
    "webhook-timestamp": "Unix time of this attempt in seconds",
    "webhook-signature": "Signatures of Standard Webhooks, separated by spaces",
}


def paths() -> dict[str, Any]:
    """The path item of each event by its name."""
    return {name: {"post": _call(name)} for name in EVENTS}


def schemas() -> dict[str, Any]:
    """The schemas of the bodies by name."""
    decision = object_of(
        {
            "job_id": {"type": "string", "format": "uuid"},
            "external_id": {"type": ["string", "null"]},
            "user_id": STRING,
            "verdict": ref("Verdict"),
            "visible": BOOLEAN,
            "review_owed": BOOLEAN,
            "reasons": {"type": "array", "items": ref("Reason")},
            "received_at": TIME,
            "decided_at": TIME,
            **judged(),
        },
        # A call that is repeated after the content was deleted has no more than the verdict.
        optional=(
            "external_id",
            "user_id",
            "review_owed",
            "reasons",
            "received_at",
            "decided_at",
            *judged(),
        ),
    )
    submissions = [name for name in EVENTS if name != TEST]
    return {
        "DecisionEvent": _event({"type": "string", "enum": submissions}, decision),
        "TestEvent": _event({"type": "string", "const": TEST}, object_of({"client": STRING})),
    }


def _event(kind: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Standard Webhooks: the time is the event's, and the same in every attempt."""
    return object_of({"type": kind, "timestamp": TIME, "data": data})


def _call(name: str) -> dict[str, Any]:
    schema = ref("TestEvent" if name == TEST else "DecisionEvent")
    return {
        "operationId": name.replace(".", "_"),
        "tags": ["webhooks"],  # else a generator would write them over the calls
        "summary": MEANINGS[name],
        "security": [],
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": True,
                "description": meaning,
                "schema": STRING,
            }
            for header, meaning in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"2XX": {"description": "Accepted; every other response is retried"}},
    }
