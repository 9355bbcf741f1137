"""The OpenAPI document describes what the server does."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import flask
import jsonschema
import openapi_spec_validator
import pytest
import requests

from models.webhooks.delivery import EVENTS
from tests.support.api import Api, unique
from tests.support.console import person
from tests.support.receiver import receiving
from tests.support.stack import Stack, wait_until
from webapp import api as calls


@pytest.fixture(scope="module")
def document(stack) -> dict[str, Any]:
    return requests.get(f"{stack.url}/api/openapi.json").json()


def check(document: dict[str, Any], value: Any, name: str) -> None:
    """The value is what the document's schema of that name says."""
    schema = {**document["components"]["schemas"][name], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def test_it_is_valid(document: dict[str, Any]) -> None:
    openapi_spec_validator.validate(document)


def test_it_names_every_call(document: dict[str, Any]) -> None:
    app = flask.Flask("routes")
    calls.init_app(app)
    rules = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")]
    served = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule) for rule in rules}
    assert served == set(document["paths"])


@pytest.mark.parametrize("picture", ["safe_rocket.jpg", "review_b.jpg", "reject_a.jpg"])
def test_verdicts_look_as_described(document: dict[str, Any], api: Api, picture: str) -> None:
    check(document, api.decided(unique(picture), external_id="x"), "Decided")


def test_a_reply_without_a_verdict_looks_as_described(
    document: dict[str, Any], api: Api, stack: Stack
) -> None:
    job_id = api.decided(title="A chair")["job_id"]
    stack.sql(
        "UPDATE submission SET verdict = NULL, decided_at = NULL, status = 'processing',"
        " lease_until = now() + interval '1 hour' WHERE id = %s",
        job_id,
    )
    check(document, api.status(job_id), "Waiting")


def test_webhooks_look_as_described(document: dict[str, Any], stack: Stack) -> None:
    described = {
        name: item["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for name, item in document["webhooks"].items()
    }
    assert set(described) == set(EVENTS)
    with receiving() as hook:
        name = f"described-{uuid4().hex[:8]}"
        made = stack.json("client", "create", name, "--webhook", hook.url, "--json")
        Api(stack.url, made["key"]).decided(unique("review_b.jpg"), external_id="x")
        [(number,)] = stack.sql("SELECT id FROM client WHERE name = %s", name)
        person(stack, "administrator").post(f"/clients/{number}/webhook-test", form="/")
        wait_until(lambda: len(hook.calls) == 2)
        calls = {call.told["type"]: call for call in hook.calls}
        assert set(calls) == {"submission.decided", "webhook.test"}
        for event, call in calls.items():
            check(document, call.told, described[event].rpartition("/")[2])
            headers = document["webhooks"][event]["post"]["parameters"]
            assert {header["name"] for header in headers} <= set(call.headers)


def test_the_load_looks_as_described(document: dict[str, Any], api: Api) -> None:
    check(document, api.stats(), "Stats")


@pytest.mark.parametrize("name", ["hour", "year"])
def test_the_history_looks_as_described(document: dict[str, Any], api: Api, name: str) -> None:
    api.decided(title="A chair")
    reply = api.http.get(f"{api.base}/stats/history", params={"range": name})
    check(document, reply.json(), "History")


def test_detections_look_as_described(document: dict[str, Any], api: Api) -> None:
    files = [("images", ("a.jpg", unique("safe_rocket.jpg")))]
    [found] = api.http.post(f"{api.base}/detect", files=files).json()
    check(document, found, "Detection")


def test_what_is_held_about_an_author_looks_as_described(
    document: dict[str, Any], api: Api
) -> None:
    api.decided(title="A chair", user_id="described")
    check(document, api.http.get(f"{api.base}/authors/described/export").json(), "AuthorExport")


def test_problems_look_as_described(document: dict[str, Any], api: Api) -> None:
    reply = api.submit(priority="vip", title="x")
    check(document, reply.json(), "Problem")
    described = document["paths"]["/api/moderation/submissions"]["post"]["responses"]
    assert str(reply.status_code) in described
