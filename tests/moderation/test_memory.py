"""Memory above the threshold: uploads pause, everything else goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.support.api import Api, unique
from tests.support.console import person
from tests.support.stack import Stack, running


@pytest.fixture(scope="module")
def full() -> Iterator[Stack]:
    with running(MEMORY_THRESHOLD="1") as stack:
        yield stack


@pytest.fixture(scope="module")
def api(full: Stack) -> Api:
    return Api(full.url, full.json("client", "create", "Tests", "--json")["key"])


def test_uploads_pause_and_say_when_to_come_back(full: Stack, api: Api) -> None:
    for reply in (api.submit(unique("safe_rocket.jpg")), api.submit(title="a text")):
        assert reply.status_code == 503
        assert reply.json()["type"] == "urn:sluice:unavailable"
        assert "memory is" in reply.json()["detail"]
        assert int(reply.headers["Retry-After"]) >= 1
    assert full.sql("SELECT count(*) FROM submission") == [(0,)]
    assert not list((full.home / "media" / "originals").glob("*/*"))


def test_readiness_is_503_where_no_upload_can_be_taken(full: Stack) -> None:
    reply = requests.get(f"{full.url}/readyz")
    assert (reply.status_code, reply.json()["ready"]) == (503, False)
    states = {part["name"]: part["state"] for part in reply.json()["parts"]}
    assert states["Memory"] == "down"


def test_asking_and_the_console_go_on(full: Stack, api: Api) -> None:
    assert api.http.get(f"{api.base}/status/{'0' * 8}-0000-7000-8000-{'0' * 12}").status_code == 404
    assert api.stats()["queue_available"]
    assert requests.get(full.url + "/healthz").status_code == 200
    assert "limit 1 %" in person(full).get("/").text
