"""Appeals: a rejection is looked at again, once, with the author's words; the client hears."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.support.api import Api, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.stack import Stack

WORDS = "It is a <b>painting</b>, see the museum’s page"


@pytest.fixture
def shop(stack: Stack) -> Api:
    """A client of its own, whose events are owed to an address that nobody has."""
    name = f"appeals-{uuid4().hex[:8]}"
    told = stack.json("client", "create", name, "--webhook", "http://127.0.0.1:9/hook", "--json")
    return Api(stack.url, told["key"])


@pytest.fixture
def author() -> str:
    return f"anna-{uuid4().hex}"


def appeal(api: Api, job_id: Any, message: Any = WORDS, **more: Any) -> requests.Response:
    body = {"job_id": job_id, "message": message, **more}
    return api.http.post(f"{api.base}/appeals", json=body)


def rejected(api: Api, author: str) -> str:
    told = api.decided(unique("reject_a.jpg"), user_id=author)
    assert told["verdict"] == "rejected"
    return told["job_id"]


def strikes(stack: Stack, author: str) -> int:
    [(count,)] = stack.sql("SELECT strikes FROM author WHERE user_id = %s", author)
    return count


def events(stack: Stack, job_id: str) -> list[str]:
    rows = stack.sql(
        "SELECT event FROM delivery WHERE submission_id = %s AND state <> 'cancelled' ORDER BY id",
        job_id,
    )
    return [row[0] for row in rows]


def decide(moderator: Console, job_id: str, outcome: str) -> None:
    def mine() -> list[str]:
        deck = moderator.deck("?filter=appeals")
        return [version for held, version in deck if held == job_id]

    [version] = eventually(mine)
    assert moderator.decide(job_id, version, outcome).status_code == 200


def test_a_person_looks_again_and_approves(stack: Stack, shop: Api, author: str) -> None:
    job_id = rejected(shop, author)
    reply = appeal(shop, job_id)
    assert (reply.status_code, reply.json()["job_id"]) == (201, job_id)
    told = shop.status(job_id)
    assert (told["verdict"], told["visible"]) == ("review", False)
    assert strikes(stack, author) == 1
    moderator = person(stack)
    page = moderator.get(f"/submissions/{job_id}").text
    assert "Appeal" in page and "It is a &lt;b&gt;painting" in page
    decide(moderator, job_id, "approved")
    told = shop.status(job_id)
    assert (told["verdict"], told["visible"]) == ("approved", True)
    assert strikes(stack, author) == 0
    assert events(stack, job_id) == [
        "submission.decided",
        "submission.restored",
        "appeal.decided",
    ]
    assert "Appeal, decided" in moderator.get(f"/submissions/{job_id}").text
    assert job_id not in dict(moderator.deck("?filter=appeals"))


def test_a_rejection_that_stands_is_no_second_strike(stack: Stack, shop: Api, author: str) -> None:
    job_id = rejected(shop, author)
    assert appeal(shop, job_id).status_code == 201
    decide(person(stack), job_id, "rejected:nudity")
    assert shop.status(job_id)["verdict"] == "rejected"
    assert strikes(stack, author) == 1
    assert events(stack, job_id) == ["submission.decided", "appeal.decided"]


@pytest.mark.parametrize("outcome", ["approved", "rejected:scam"])
def test_an_answer_that_is_undone_opens_it_again(
    stack: Stack, shop: Api, author: str, outcome: str
) -> None:
    job_id, moderator = rejected(shop, author), person(stack)
    appeal(shop, job_id)
    decide(moderator, job_id, outcome)
    assert moderator.post("/reviews/undo", form="/", headers=FRAGMENT).status_code == 200
    told = shop.status(job_id)
    assert (told["verdict"], told["visible"]) == ("review", False)
    assert strikes(stack, author) == 1
    assert events(stack, job_id) == ["submission.decided"]
    assert stack.sql("SELECT decided_at FROM appeal WHERE submission_id = %s", job_id) == [(None,)]
    decide(moderator, job_id, "approved")
    assert strikes(stack, author) == 0
    assert stack.run("audit", "verify", check=False).stdout.count(job_id) == 0


def test_one_appeal_of_an_upload_is_taken(stack: Stack, shop: Api, author: str) -> None:
    job_id, codes = rejected(shop, author), []
    key = str(shop.http.headers["Authorization"]).split()[1]
    threads = [
        threading.Thread(
            target=lambda: codes.append(appeal(Api(stack.url, key), job_id).status_code)
        )
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201, 409, 409, 409, 409]
    decide(person(stack), job_id, "rejected:nudity")
    assert appeal(shop, job_id).status_code == 409


def test_only_what_was_rejected_can_be_appealed(shop: Api) -> None:
    for picture in ("safe_rocket.jpg", "review_a.jpg"):
        reply = appeal(shop, shop.decided(unique(picture))["job_id"])
        assert (reply.status_code, reply.json()["field"]) == (409, "job_id")


def test_another_clients_is_404(shop: Api, api: Api, author: str) -> None:
    job_id = rejected(shop, author)
    for number in (job_id, str(uuid4()), "x"):
        assert appeal(api, number).status_code == 404
    assert shop.status(job_id)["verdict"] == "rejected"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "job_id"),
        ({"job_id": "x"}, 422, "message"),
        ({"job_id": "x", "message": " \n"}, 422, "message"),
        ({"job_id": "x", "message": "a" * 2001}, 422, "message"),
        ({"job_id": "x", "message": "a\0"}, 422, "message"),
        ({"job_id": 7, "message": "a"}, 422, "job_id"),
        ({"job_id": "x", "message": "a", "more": 1}, 422, "more"),
        ([], 400, None),
    ],
)
def test_what_is_wrong_is_said(api: Api, body: Any, status: int, field: str | None) -> None:
    reply = api.http.post(f"{api.base}/appeals", json=body)
    assert (reply.status_code, reply.json().get("field")) == (status, field)


def test_its_message_goes_with_the_submission(stack: Stack, shop: Api, author: str) -> None:
    job_id = rejected(shop, author)
    appeal(shop, job_id)
    [told] = shop.http.get(f"{shop.base}/authors/{author}/export").json()["submissions"]
    assert told["appeal"]["message"] == WORDS
    assert shop.http.delete(f"{shop.base}/submissions/{job_id}").status_code == 204
    assert stack.sql("SELECT message FROM appeal WHERE submission_id = %s", job_id) == [("",)]
    assert job_id not in dict(person(stack).deck("?filter=appeals"))
