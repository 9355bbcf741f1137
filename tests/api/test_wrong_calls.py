"""A call that is nearly right gets a response that says what is wrong."""

from __future__ import annotations

import pytest
import requests

from models.settings import Settings
from tests.support.api import Api
from tests.support.raw import multipart, part
from tests.support.stack import Stack

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def detail(reply: requests.Response, status: int) -> str:
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    told = reply.json()
    assert told["status"] == status and told["detail"].endswith(".")
    return told["detail"]


@pytest.mark.parametrize("path", ["submissions", "submissions/text", "detect", "stats", "appeals"])
def test_a_slash_at_the_end(api: Api, path: str) -> None:
    assert "no slash at its end" in detail(api.http.post(f"{api.base}/{path}/", data=b"{}"), 404)
    large = api.http.post(f"{api.base}/{path}/", data=bytes(2_000_000))
    if path in ("stats", "appeals"):  # no call takes such a body there
        assert "64 KB" in detail(large, 413)
    else:
        assert "no slash at its end" in detail(large, 404)


def test_an_unknown_call(api: Api) -> None:
    assert "/api/openapi.json" in detail(api.http.get(f"{api.base}/uploads"), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/submissions", {"POST", "OPTIONS"}),
        ("PUT", "/stats", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/authors/anna", {"DELETE", "OPTIONS"}),
    ],
)
def test_another_method(api: Api, method: str, path: str, allowed: set[str]) -> None:
    reply = api.http.request(method, api.base + path)
    sentence = detail(reply, 405)
    assert set(reply.headers["Allow"].split(", ")) == allowed
    assert method in sentence and all(each in sentence for each in allowed)


def test_a_size_has_a_unit(api: Api, stack: Stack) -> None:
    most = Settings.load(stack.env).max_body_size
    reply = api.http.post(f"{api.base}/submissions", data=bytes(most + 1))
    assert f"{most / 1024**2:.0f} MB" in detail(reply, 413)
    assert "64 KB" in detail(api.http.post(f"{api.base}/appeals", data=bytes(100_000)), 413)
    headers = {"Content-Type": "application/json"}
    reply = api.http.post(f"{api.base}/submissions", data=bytes(3_000_000), headers=headers)
    assert "more than 2 MB" in detail(reply, 413)
    reply = api.http.post(f"{api.base}/submissions/text", data=bytes(3_000_000), headers=headers)
    assert "2 MB" in detail(reply, 413) and "50 MB" not in reply.text


def test_a_form_without_its_boundary(api: Api) -> None:
    body, headers = multipart(part("user_id", b"a")), {"Content-Type": "multipart/form-data"}
    reply = api.http.post(f"{api.base}/submissions", data=body, headers=headers)
    assert "names no boundary" in detail(reply, 400)


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"X-API-Key": "{key}"}, "The header X-API-Key is not read"),
        ({"Authorization": "{key}"}, "without the word Bearer"),
        ({"Authorization": "Basic {key}"}, "does not begin with Bearer"),
        ({"Authorization": "Bearer"}, "no key after Bearer"),
        ({}, "has no API key"),
    ],
)
def test_a_key_in_the_wrong_place(
    stack: Stack, client_key: str, headers: dict[str, str], sentence: str
) -> None:
    sent = {name: value.format(key=client_key) for name, value in headers.items()}
    reply = requests.get(f"{stack.url}/api/moderation/stats", headers=sent)
    told = detail(reply, 401)
    assert sentence in told and "Authorization: Bearer sk_…" in told
    assert client_key not in reply.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api", 404),
        ("GET", "/api/", 404),
        ("GET", "/moderation/stats", 404),
        ("POST", "/healthz", 405),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/static/css/", 404),
        ("POST", "/", 405),
    ],
)
def test_programs_get_no_page(stack: Stack, method: str, path: str, status: int) -> None:
    detail(requests.request(method, stack.url + path), status)


def test_a_browser_gets_a_page_outside_the_api(stack: Stack) -> None:
    for path in ("/nothing", "/console/nothing"):
        reply = requests.get(stack.url + path, headers=BROWSER)
        assert reply.headers["Content-Type"].startswith("text/html")
        assert "Content-Security-Policy" in reply.headers
    detail(requests.get(f"{stack.url}/api/nothing", headers=BROWSER), 404)
