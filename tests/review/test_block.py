"""Block: the picture shown and no harmless neighbour, and an undo that restores what followed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import uuid4

import pytest

from tests.support.api import Api, content, drawn, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.policies import nudity, set_policy
from tests.support.stack import Stack, wait_until

REMOVE = "DELETE FROM known_hash WHERE image_id IN (SELECT id FROM image WHERE submission_id = %s)"
KNOWN = (
    "SELECT DISTINCT i.position FROM known_hash k JOIN image i ON i.id = k.image_id"
    " WHERE i.submission_id = %s AND k.action = 'block' AND k.removed_at IS NULL ORDER BY 1"
)

UNDONE_FOR = (
    "SELECT submission_id::text, created_at FROM decision"
    " WHERE reason = 'unblocked' AND submission_id = ANY(%s::uuid[])"
)
COPIES = (
    "INSERT INTO submission SELECT (jsonb_populate_record(s, jsonb_build_object("
    "'id', gen_random_uuid(), 'idempotency_key', gen_random_uuid()))).*"
    " FROM generate_series(1, %s), submission s WHERE s.id = %s RETURNING id::text"
)
FINDINGS = (
    'INSERT INTO finding (submission_id, "check", label, action, evidence)'
    ' SELECT copy.id, f."check", f.label, f.action, f.evidence'
    " FROM unnest(%s::uuid[]) AS copy (id), finding f WHERE f.submission_id = %s"
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
    [(name,)] = stack.sql(
        "SELECT c.name FROM client c JOIN submission s ON s.client_id = c.id WHERE s.id = %s",
        job_id,
    )
    set_policy(stack, name, **nudity(review_at=0))


def version_of(console: Console, job_id: str) -> str:
    return (
        console.get(f"/submissions/{job_id}").text.split('name="version" value="')[1].split('"')[0]
    )


def block(console: Console, job_id: str, **fields: str):
    return console.decide(job_id, version_of(console, job_id), "rejected:nudity:block", **fields)


def make_known(console: Console, job_id: str, action: str) -> None:
    """Block or allow the pictures of a submission without a decision about it."""
    reply = console.post(f"/reviews/{job_id}/{action}", form="/", label="other", headers=FRAGMENT)
    assert reply.status_code == 200


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


def test_undo_gives_an_allowed_picture_its_action_back(ada, shop, stack):
    job_id = mixed(shop)
    chosen = images_of(stack, job_id)[1]
    make_known(ada, job_id, "allow")
    facts = "SELECT kind, action, label FROM known_hash WHERE image_id = %s AND removed_at IS NULL"
    eventually(lambda: len(stack.sql(facts, chosen)) == 2)
    before = sorted(stack.sql(facts, chosen))
    assert {row[1] for row in before} == {"allow"}
    assert block(ada, job_id, **{f"picture-{job_id}": chosen}).status_code == 200
    assert {row[1] for row in stack.sql(facts, chosen)} == {"block"}
    undo(ada)
    assert sorted(stack.sql(facts, chosen)) == before
    stack.sql(REMOVE, job_id)


def test_undo_leaves_an_entry_that_an_administrator_blocked_since(ada, shop, stack):
    job_id = mixed(shop)
    chosen = images_of(stack, job_id)[1]
    make_known(ada, job_id, "allow")
    facts = "SELECT action FROM known_hash WHERE image_id = %s AND kind = 'sha256'"
    assert ada.decide(job_id, version_of(ada, job_id), "rejected:nudity").status_code == 200
    make_known(ada, job_id, "block")
    assert stack.sql(facts, chosen) == [("block",)]
    undo(ada)
    assert stack.sql(facts, chosen) == [("block",)]
    stack.sql(REMOVE, job_id)


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


def test_an_undo_leaves_what_a_person_rejects_while_it_waits_for_the_upload(ada, shop, stack):
    twin, job_id = _blocked_with_twin(stack, shop, ada)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with (
        closing(stack.connect("sluice_owner")) as other,
        other.cursor() as cursor,
        ThreadPoolExecutor() as pool,
    ):
        cursor.execute("SELECT 1 FROM submission WHERE id = %s FOR UPDATE", (twin,))
        undoing = pool.submit(undo, ada)
        wait_until(lambda: stack.sql(waiting, role="postgres") != [(0,)])
        cursor.execute(
            "INSERT INTO decision (submission_id, moderator_id, from_verdict, to_verdict, reason)"
            " SELECT %s, min(id), 'rejected', 'rejected', 'spam' FROM moderator",
            (twin,),
        )
        other.commit()
        undoing.result(60)
    assert stack.sql(KNOWN, job_id) == []
    assert stack.sql(UNDONE_FOR, [twin]) == []
    after = shop.status(twin)
    assert (after["verdict"], after["reasons"][0]["label"]) == ("rejected", "spam")


def test_an_undo_takes_a_batch_and_the_standby_the_rest(ada, shop, stack):
    twin, _ = _blocked_with_twin(stack, shop, ada)
    copies = [row[0] for row in stack.sql(COPIES, 620, twin)]
    stack.sql(FINDINGS, copies, twin)
    undo(ada)
    eventually(lambda: len(stack.sql(UNDONE_FOR, copies)) == len(copies))
    rows = stack.sql(UNDONE_FOR, [twin, *copies])
    assert len(rows) == len({row[0] for row in rows}) == 621  # each once
    times = [row[1] for row in rows]
    assert times.count(min(times)) == 500  # one transaction, that of the undo
    left = "SELECT 1 FROM submission WHERE id = ANY(%s::uuid[]) AND (review_owed OR verdict = %s)"
    eventually(lambda: not stack.sql(left, [twin, *copies], "rejected"))


def test_a_hash_that_a_worker_adds_during_an_undo_is_removed_too(ada, shop, stack):
    """The worker holds the lock of the exact entry when the undo begins."""
    _, job_id = _blocked_with_twin(stack, shop, ada)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with (
        closing(stack.connect("sluice_owner")) as worker,
        worker.cursor() as cursor,
        ThreadPoolExecutor() as pool,
    ):
        cursor.execute(
            "SELECT k.image_id, k.moderator_id FROM known_hash k JOIN image i ON i.id = k.image_id"
            " WHERE i.submission_id = %s AND kind = 'sha256' FOR UPDATE OF k",
            (job_id,),
        )
        image, moderator = cursor.fetchone()
        undoing = pool.submit(undo, ada)
        wait_until(lambda: stack.sql(waiting, role="postgres") != [(0,)])
        cursor.execute(
            "INSERT INTO known_hash (kind, hash, action, label, image_id, moderator_id, created_at)"
            " VALUES ('pdq', %s, 'block', 'nudity', %s, %s, now())",
            (uuid4().bytes * 2, image, moderator),
        )
        worker.commit()
        undoing.result(60)
    assert stack.sql(KNOWN, job_id) == []


def test_the_notice_names_the_waiting_flags_that_look_alike(ada, shop, stack):
    picture = drawn()
    everything_is_a_flag(stack, shop, shop.decided(unique(picture))["job_id"])
    job_id = eventually(lambda: _flag(shop, picture))
    eventually(lambda: _flag(shop, picture))
    reply = block(ada, job_id)
    assert re.search(r"data-alike>\s*1 waiting flag looks like it", reply.text), reply.text
    undo(ada)


def _blocked_with_twin(stack: Stack, shop: Api, moderator: Console) -> tuple[str, str]:
    """An upload that the machine rejected for a picture, and the upload whose block caused it."""
    picture = drawn()
    everything_is_a_flag(stack, shop, shop.decided(unique(picture))["job_id"])
    job_id = eventually(lambda: _flag(shop, picture))
    assert block(moderator, job_id).status_code == 200
    return eventually(lambda: _rejected(shop, picture, f"twin-{uuid4().hex[:8]}")), job_id


def _flag(shop: Api, picture: bytes) -> str:
    """An upload that was flagged; a changed policy reaches every process within a second."""
    told = shop.decided(unique(content(picture)))
    return told["job_id"] if told["verdict"] == "review" else ""


def _rejected(shop: Api, picture: bytes, author: str) -> str:
    """An upload that was rejected; the worker that hashes the blocked picture may be at it."""
    told = shop.decided(unique(picture), user_id=author)
    return told["job_id"] if told["verdict"] == "rejected" else ""
