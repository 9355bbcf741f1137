"""Another client's ids are 404 on every route of the API, and nothing of it is told or changed."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
import requests

from models.settings import Settings
from tests.support.api import Api, unique
from tests.support.routes import paths
from webapp.app import create_app

WITH_AN_ID = re.compile(r"<(?:\w+:)?(\w+)>")


@pytest.fixture(scope="module")
def victim(stack) -> dict[str, str]:
    """What another client has: a submission of an author."""
    api = Api(stack.url, stack.json("client", "create", "Victim", "--json")["key"])
    user_id = f"author-{uuid4().hex[:8]}"
    secret = f"private {uuid4().hex}"
    told = api.decided(unique("review_b.jpg"), user_id=user_id, title=secret, external_id="order 7")
    return {"key": api.http.headers["Authorization"], "secret": secret, "user_id": user_id, **told}


@pytest.fixture(scope="module")
def routes(stack) -> list[tuple[str, str]]:
    """(method, route) of every call of the API that names something."""
    rules = create_app(Settings.load(stack.env)).url_map.iter_rules()
    return [
        (method, rule.rule)
        for rule in rules
        if rule.rule.startswith("/api/") and rule.arguments
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
    ]


def test_every_call_with_anothers_id_finds_nothing(stack, new_client, routes, victim):
    thief = {"Authorization": f"Bearer {new_client()}"}
    ids = {"job_id": victim["job_id"], "user_id": victim["user_id"]}
    assert len(routes) >= 2
    for method, route in routes:
        path = WITH_AN_ID.sub(lambda found: ids[found[1]], route)
        reply = requests.request(method, stack.url + path, headers=thief)
        nowhere = path.replace(victim["job_id"], str(uuid4()))
        nowhere = nowhere.replace(victim["user_id"], "nobody")
        unknown = requests.request(method, stack.url + nowhere, headers=thief)
        assert reply.status_code == unknown.status_code == 404, (method, route)
        assert victim["secret"] not in reply.text
        strip = re.compile(r"[0-9a-f-]{36}|author-\w+|nobody")
        assert strip.sub("", reply.text) == strip.sub("", unknown.text), (method, route)
    own = {"Authorization": victim["key"]}
    still = requests.get(f"{stack.url}/api/moderation/status/{victim['job_id']}", headers=own)
    assert still.json()["verdict"] == victim["verdict"]


def test_calls_that_name_something_in_their_body_find_nothing_either(stack, new_client, victim):
    thief = {"Authorization": f"Bearer {new_client()}"}
    app = create_app(Settings.load(stack.env))
    posts = paths(list(app.url_map.iter_rules()), "POST", "/api/")
    for route, path in posts:
        if route.endswith(("/submissions", "/image", "/text", "/detect")):
            continue  # they name nothing that is there
        body = {"job_id": victim["job_id"], "message": "Please look again."}
        assert requests.post(stack.url + path, json=body, headers=thief).status_code == 404, route


def test_keys_and_numbers_of_one_client_are_its_own(stack, new_client, victim):
    """The same author, order and Idempotency-Key at two clients are two things."""
    mine = Api(stack.url, new_client())
    again = mine.decided(
        unique("review_b.jpg"), user_id=victim["user_id"], external_id="order 7", title="mine"
    )
    assert again["job_id"] != victim["job_id"]
    assert victim["secret"] not in str(again)


def test_without_a_key_there_is_nothing(stack, routes, victim):
    for method, route in routes:
        path = WITH_AN_ID.sub("x", route)
        for header in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic eDp4"}):
            reply = requests.request(method, stack.url + path, headers=header)
            assert reply.status_code == 401, (method, route)
