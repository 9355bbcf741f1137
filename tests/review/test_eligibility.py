"""Appeals: nobody decides the one against their own decision while somebody else is active."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.api import Api, unique
from tests.support.console import Console, person
from tests.support.stack import Stack


@pytest.fixture
def shop(stack: Stack, new_client) -> tuple[Api, str]:
    """A client of its own, and the query of its appeals."""
    name = f"own-{uuid4().hex[:8]}"
    mine = Api(stack.url, new_client(name))
    number = stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]
    return mine, f"?filter=appeals&client={number}"


def version_of(stack: Stack, job_id: str) -> str:
    return str(stack.sql("SELECT version FROM submission WHERE id = %s", job_id)[0][0])


def appealed(stack: Stack, api: Api, rejects: Console) -> str:
    """A flag that this person rejected and its author appealed."""
    job_id = api.decided(unique("review_a.jpg"), title="Mine")["job_id"]
    assert rejects.decide(job_id, version_of(stack, job_id), "rejected:scam").status_code == 200
    body = {"job_id": job_id, "message": "It is a painting"}
    assert api.http.post(f"{api.base}/appeals", json=body).status_code == 201
    return job_id


def only_active(stack: Stack, console: Console) -> None:
    """Everybody else was last seen an hour ago."""
    name = console.get("/").text.split('class="me-name"><strong')[1].split(">")[1].split("<")[0]
    stack.sql(
        "UPDATE moderator_session SET seen_at = now() - interval '1 hour' WHERE moderator_id <>"
        " (SELECT id FROM moderator WHERE name = %s)",
        name,
    )


def test_the_appeal_goes_to_another_moderator(stack, shop):
    api, appeals = shop
    ada, ben = person(stack), person(stack)
    job_id = appealed(stack, api, ada)
    assert ada.deck(appeals) == []
    assert "against your own decisions go to another moderator" in ada.get(f"/review{appeals}").text
    refused = ada.decide(job_id, version_of(stack, job_id), "approved")
    assert refused.status_code == 403 and "against your own decision" in refused.text
    page = ada.get(f"/submissions/{job_id}").text
    assert "This appeal is against your own decision" in page
    verdict = f'/reviews/{job_id}/decision" data-decide'
    assert verdict not in ada.get(f"/review{appeals}&view=list").text
    assert verdict in ben.get(f"/review{appeals}&view=list").text
    assert ada.post(f"/reviews/{job_id}/skip", form="/", recall="1").status_code == 409
    assert [held for held, _ in ben.deck(appeals)] == [job_id]
    shown = ben.get(f"/review{appeals}").text
    assert shown.index("It is a painting") < shown.index('class="panel verdict"')
    assert "rejected it · Scam" in shown
    assert ben.decide(job_id, version_of(stack, job_id), "approved").status_code == 200


def test_a_group_leaves_the_appeal_against_ones_own_decision_out(stack, shop):
    api, _ = shop
    ada = person(stack)
    person(stack)
    job_id = appealed(stack, api, ada)
    item = f"{job_id}:{version_of(stack, job_id)}"
    reply = ada.post("/reviews/group/decision", form="/", item=[item], outcome="approved")
    assert reply.status_code == 409
    assert api.status(job_id)["verdict"] == "review"


def test_who_is_alone_decides_it(stack, shop):
    api, appeals = shop
    ada = person(stack)
    job_id = appealed(stack, api, ada)
    only_active(stack, ada)
    assert [held for held, _ in ada.deck(appeals)] == [job_id]
    assert ada.decide(job_id, version_of(stack, job_id), "approved").status_code == 200


def test_an_appeal_against_the_machine_is_anybodys(stack, shop):
    api, appeals = shop
    ada = person(stack)
    person(stack)
    job_id = api.decided(unique("reject_a.jpg"))["job_id"]
    body = {"job_id": job_id, "message": "It is a painting"}
    assert api.http.post(f"{api.base}/appeals", json=body).status_code == 201
    assert [held for held, _ in ada.deck(appeals)] == [job_id]
    assert "The machine rejected it" in ada.get(f"/review{appeals}").text
