"""Block: the picture shown and no harmless neighbour, and an undo that restores what followed."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from tests.support.api import Api, content, drawn, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.stack import Stack

KNOWN = (
    "SELECT DISTINCT i.position FROM known_hash k JOIN image i ON i.id = k.image_id"
    " WHERE i.submission_id = %s AND k.action = 'block' AND k.removed_at IS NULL ORDER BY 1"
)


@pytest.fixture
def ada(stack: Stack) -> Console:
    return person(stack)


@pytest.fixture
def shop(stack: Stack, new_client) -> Api:
    """A client of its own."""
    return Api(stack.url, new_client(f"block-{uuid4().hex[:8]}"))


def everything_is_a_flag(stack: Stack, shop: Api, job_id: str) -> None:
    """From now on, for the client of this submission."""
    stack.sql(
        "UPDATE client SET review_at = 0 FROM submission s"
        " WHERE s.client_id = client.id AND s.id = %s",
        job_id,
    )


def version_of(console: Console, job_id: str) -> str:
    return (
        console.get(f"/submissions/{job_id}").text.split('name="version" value="')[1].split('"')[0]
    )


def block(console: Console, job_id: str, **fields: str):
    return console.decide(job_id, version_of(console, job_id), "rejected:nudity:block", **fields)


def undo(console: Console) -> None:
    assert console.post("/reviews/undo", form="/", headers=FRAGMENT).status_code == 200


def images_of(stack: Stack, job_id: str) -> list[str]:
    sql = "SELECT id::text FROM image WHERE submission_id = %s ORDER BY position"
    return [row[0] for row in stack.sql(sql, job_id)]


def mixed(shop: Api) -> str:
    """A flag with a picture that was flagged between two harmless ones."""
    told = shop.decided(drawn(), unique("review_a.jpg"), drawn())
    assert told["verdict"] == "review"
    return told["job_id"]


def test_only_the_picture_shown_is_blocked(ada, shop, stack):
    job_id = mixed(shop)
    chosen = images_of(stack, job_id)[2]
    assert block(ada, job_id, **{f"picture-{job_id}": chosen}).status_code == 200
    assert stack.sql(KNOWN, job_id) == [(2,)]
    undo(ada)
    assert stack.sql(KNOWN, job_id) == []


def test_in_the_grid_the_flagged_pictures_are_blocked_and_no_harmless_neighbour(ada, shop, stack):
    job_id = mixed(shop)
    assert block(ada, job_id).status_code == 200
    assert stack.sql(KNOWN, job_id) == [(1,)]
    undo(ada)


def test_a_picture_of_another_submission_is_refused(ada, shop, stack):
    job_id, other = mixed(shop), mixed(shop)
    reply = block(ada, job_id, **{f"picture-{job_id}": images_of(stack, other)[0]})
    assert reply.status_code == 422 and "not one of this submission" in reply.text
    assert shop.status(job_id)["verdict"] == "review"


def test_without_a_flagged_picture_one_has_to_be_shown(ada, shop, stack):
    told = shop.decided(
        drawn(), drawn(), title="Watch", description="Wire transfer only, via WhatsApp"
    )
    assert told["verdict"] == "review"
    reply = block(ada, told["job_id"])
    assert reply.status_code == 422 and "Show the picture to block" in reply.text
    assert stack.sql(KNOWN, told["job_id"]) == []


def test_undo_restores_what_was_rejected_for_the_blocked_picture(ada, shop, stack):
    picture, author = drawn(), f"twin-{uuid4().hex[:8]}"
    first = shop.decided(unique(picture))["job_id"]
    everything_is_a_flag(stack, shop, first)
    job_id = eventually(lambda: _flag(shop, picture))
    assert block(ada, job_id).status_code == 200
    twin = eventually(lambda: _rejected(shop, picture, author))
    strikes = "SELECT strikes FROM author WHERE user_id = %s"
    assert stack.sql(strikes, author) == [(1,)]
    undo(ada)
    assert stack.sql(strikes, author) == [(0,)]
    page = ada.get(f"/submissions/{twin}").text
    assert "block undone, back to" in page
    eventually(
        lambda: not stack.sql("SELECT 1 FROM submission WHERE id = %s AND review_owed", twin)
    )
    assert shop.status(twin)["verdict"] == "review"  # as the checks say without the known image


def test_undo_leaves_what_a_person_rejected_since(ada, shop, stack):
    picture = drawn()
    everything_is_a_flag(stack, shop, shop.decided(unique(picture))["job_id"])
    job_id = eventually(lambda: _flag(shop, picture))
    assert block(ada, job_id).status_code == 200
    twin = eventually(lambda: _rejected(shop, picture, f"twin-{uuid4().hex[:8]}"))
    ben = person(stack)
    assert ben.decide(twin, version_of(ben, twin), "approved").status_code == 200
    assert ben.decide(twin, version_of(ben, twin), "rejected:spam").status_code == 200
    undo(ada)
    assert shop.status(twin)["verdict"] == "rejected"


def test_the_notice_names_the_waiting_flags_that_look_alike(ada, shop, stack):
    picture = drawn()
    everything_is_a_flag(stack, shop, shop.decided(unique(picture))["job_id"])
    job_id = eventually(lambda: _flag(shop, picture))
    eventually(lambda: _flag(shop, picture))
    reply = block(ada, job_id)
    assert re.search(r"data-alike>\s*1 waiting flag looks like it", reply.text), reply.text
    undo(ada)


def _flag(shop: Api, picture: bytes) -> str:
    """An upload that was flagged; a changed policy reaches every process within a second."""
    told = shop.decided(unique(content(picture)))
    return told["job_id"] if told["verdict"] == "review" else ""


def _rejected(shop: Api, picture: bytes, author: str) -> str:
    """An upload that was rejected; the worker that hashes the blocked picture may be at it."""
    told = shop.decided(unique(picture), user_id=author)
    return told["job_id"] if told["verdict"] == "rejected" else ""
