"""The OpenAPI document describes what the server does."""

from __future__ import annotations

import re
from typing import Any

import flask
import jsonschema
import openapi_spec_validator
import pytest
import requests

from tests.support.api import Api, unique
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
