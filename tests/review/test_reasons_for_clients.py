"""What a client reads of a person's decision, in the status and in the webhook: reason and time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.support.api import Api, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.receiver import Receiver, receiving
from tests.support.stack import Stack, wait_until

MIGRATION = "models.migrations.0024_moderator_label"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def shop(stack: Stack, hook: Receiver) -> Api:
    """A client with a webhook."""
    name = f"reasons-{uuid4().hex[:8]}"
    return Api(
        stack.url, stack.json("client", "create", name, "--webhook", hook.url, "--json")["key"]
    )


@pytest.fixture
def ada(stack: Stack) -> Console:
    return person(stack)


def flagged(shop: Api) -> dict[str, Any]:
    told = shop.decided(unique("review_a.jpg"), title="A vase", external_id="order 7")
    assert told["verdict"] == "review"
    return told


def decide(moderator: Console, job_id: str, outcome: str) -> None:
    text = moderator.get(f"/submissions/{job_id}").text
    version = text.split('name="version" value="')[1].split('"')[0]
    assert moderator.decide(job_id, version, outcome).status_code == 200


def undo(moderator: Console) -> None:
    assert moderator.post("/reviews/undo", form="/", headers=FRAGMENT).status_code == 200


def soon(stack: Stack, job_id: str) -> None:
    """As if the time for an undo were over."""
    stack.sql("UPDATE delivery SET due_at = now() WHERE submission_id = %s", job_id)


def test_a_persons_reason_takes_the_place_of_the_machines(shop: Api, ada: Console) -> None:
    told = flagged(shop)
    assert [reason["check"] for reason in told["reasons"]] == ["classifier"]
    decide(ada, told["job_id"], "rejected:contact_off_site")
    [reason] = shop.status(told["job_id"])["reasons"]
    assert reason == {
        "check": "moderator",
        "label": "contact_off_site",
        "explanation": "A moderator decided: contact off site",
        "author_text": "It asks people to get in touch or to pay outside this site.",
    }


def test_an_approval_has_no_reason(shop: Api, ada: Console) -> None:
    told = flagged(shop)
    decide(ada, told["job_id"], "approved")
    after = shop.status(told["job_id"])
    assert (after["verdict"], after["reasons"]) == ("approved", [])


def test_the_last_decision_counts_and_an_undo_brings_the_one_before_back(
    shop: Api, ada: Console
) -> None:
    told = flagged(shop)
    job_id = told["job_id"]
    decide(ada, job_id, "rejected:scam")
    decide(ada, job_id, "approved")
    decide(ada, job_id, "rejected:spam")
    labels = []
    for _ in range(4):
        after = shop.status(job_id)
        labels.append((after["verdict"], [reason["label"] for reason in after["reasons"]]))
        if after["verdict"] != "review":
            undo(ada)
    assert labels == [
        ("rejected", ["spam"]),
        ("approved", []),
        ("rejected", ["scam"]),
        ("review", [told["reasons"][0]["label"]]),
    ]
    assert after["reasons"] == told["reasons"]


def test_the_webhook_has_the_reason_and_the_times_of_the_status(
    stack: Stack, shop: Api, ada: Console, hook: Receiver
) -> None:
    job_id = flagged(shop)["job_id"]
    before = shop.status(job_id)
    eventually(lambda: len(hook.calls) == 1)  # calls that are due together come in any order
    decide(ada, job_id, "rejected:scam")
    soon(stack, job_id)
    eventually(lambda: len(hook.calls) == 2)
    status = shop.status(job_id)
    for call, at_that_time in zip(hook.calls, (before, status), strict=True):
        assert call.told["type"] == "submission.decided"
        same = (
            "job_id",
            "external_id",
            "verdict",
            "visible",
            "reasons",
            "received_at",
            "decided_at",
        )
        assert {name: call.told["data"][name] for name in same} == {
            name: at_that_time[name] for name in same
        }
    assert before["received_at"] == status["received_at"] < before["decided_at"]
    assert before["decided_at"] < status["decided_at"]


def test_an_appeal_shows_the_reason_of_its_rejection_until_it_is_answered(
    stack: Stack, shop: Api, ada: Console, hook: Receiver
) -> None:
    job_id = flagged(shop)["job_id"]
    decide(ada, job_id, "rejected:scam")
    body = {"job_id": job_id, "message": "It is a vase"}
    assert shop.http.post(f"{shop.base}/appeals", json=body).status_code == 201
    waiting = shop.status(job_id)
    assert (waiting["verdict"], waiting["reasons"][0]["label"]) == ("review", "scam")
    decide(person(stack), job_id, "rejected:spam")
    soon(stack, job_id)

    def answer() -> list[dict[str, Any]]:
        return [call.told["data"] for call in hook.calls if call.told["type"] == "appeal.decided"]

    [data] = eventually(answer)
    assert data["reasons"] == shop.status(job_id)["reasons"]
    assert (data["verdict"], data["reasons"][0]["label"]) == ("rejected", "spam")
    assert data["decided_at"] > waiting["decided_at"]


def test_a_reply_without_a_verdict_has_the_times_too(stack: Stack, shop: Api) -> None:
    told = flagged(shop)
    stack.sql(
        "UPDATE submission SET verdict = NULL, decided_at = NULL, status = 'processing',"
        " lease_until = now() + interval '1 hour' WHERE id = %s",
        told["job_id"],
    )
    waiting = shop.status(told["job_id"])
    assert (waiting["received_at"], waiting["decided_at"]) == (told["received_at"], None)


def test_a_decision_that_waited_for_another_one_is_the_later_one(
    stack: Stack, shop: Api, ada: Console
) -> None:
    """The transaction that begins first may decide last."""
    job_id = flagged(shop)["job_id"]
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    locked = "SELECT 1 FROM submission WHERE id = %s FOR UPDATE"
    decided = (
        "UPDATE submission SET decided_at = clock_timestamp() WHERE id = %s RETURNING decided_at"
    )
    with (
        closing(stack.connect("sluice_owner")) as other,
        other.cursor() as cursor,
        ThreadPoolExecutor() as pool,
    ):
        cursor.execute(locked, (job_id,))
        deciding = pool.submit(decide, ada, job_id, "approved")
        wait_until(lambda: stack.sql(waiting, role="postgres") != [(0,)])
        cursor.execute(decided, (job_id,))
        before = cursor.fetchone()[0]
        other.commit()
        deciding.result(60)
    assert datetime.fromisoformat(shop.status(job_id)["decided_at"]) > before


def test_decisions_and_undos_of_an_earlier_release_set_the_reason_too(
    stack: Stack, shop: Api
) -> None:
    """Its processes run during an upgrade, and after the release is taken back."""
    told = flagged(shop)
    job_id, machine = told["job_id"], told["reasons"]

    def write(verdict: str, reason: str, undoes: int | None = None) -> int:
        update = "UPDATE submission SET verdict = %s, version = version + 1 WHERE id = %s"
        stack.sql(update, verdict, job_id, role="sluice")
        insert = (
            "INSERT INTO decision (submission_id, moderator_id, to_verdict, reason, undoes)"
            " SELECT %s, min(id), %s, %s, %s FROM moderator RETURNING id"
        )
        return stack.sql(insert, job_id, verdict, reason, undoes, role="sluice")[0][0]

    def labels() -> list[str]:
        return [reason["label"] for reason in shop.status(job_id)["reasons"]]

    hate = write("rejected", "hate")
    assert labels() == ["hate"]
    approval = write("approved", "")
    assert labels() == []
    write("rejected", "undo", undoes=approval)
    assert labels() == ["hate"]
    write("review", "undo", undoes=hate)
    assert shop.status(job_id)["reasons"] == machine


def test_decisions_from_before_the_migration_keep_the_machines_reasons(
    stack: Stack, shop: Api, ada: Console
) -> None:
    """Filling in would lock the table; the next decision or undo of a person sets the reason."""
    told = flagged(shop)
    decide(ada, told["job_id"], "rejected:scam")
    decide(ada, told["job_id"], "rejected:spam")
    stack.sql("UPDATE submission SET moderator_label = NULL WHERE id = %s", told["job_id"])
    assert shop.status(told["job_id"])["reasons"] == told["reasons"]
    undo(ada)
    assert shop.status(told["job_id"])["reasons"][0]["label"] == "scam"


def test_the_migration_changes_no_row() -> None:
    """Its exclusive lock on all uploads lasts for a moment, however many there are."""
    table, _ = importlib.import_module(MIGRATION).UP.split("CREATE FUNCTION")
    assert table.strip() == "ALTER TABLE submission ADD COLUMN moderator_label text;"
