"""Review: who gets which flag, what a decision does, and what becomes of a late one."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api import Api, unique
from tests.console import FRAGMENT, Console, person
from tests.stack import Stack


@pytest.fixture(scope="module")
def ada(stack: Stack) -> Console:
    return person(stack)


@pytest.fixture(scope="module")
def ben(stack: Stack) -> Console:
    return person(stack)


@pytest.fixture
def flag(api: Api):
    """Makes flags that wait for a person; answers their ids."""

    def make(title: str = "", **fields: str) -> str:
        title = title or f"Flag {uuid4().hex[:6]}"
        told = api.decided(unique("review_a.jpg"), title=title, **fields)
        assert told["verdict"] == "review", told
        return told["job_id"]

    return make


def version_of(console: Console, job_id: str) -> str:
    text = console.get(f"/submissions/{job_id}").text
    return text.split('name="version" value="')[1].split('"')[0]


def test_two_people_never_get_the_same_flag(ada, ben, flag):
    for _ in range(3):
        flag()
    hers, his = ada.deck(), ben.deck()
    assert hers and not set(hers) & set(his)


def test_a_flag_that_is_held_comes_again_to_its_holder_only(ada, ben, flag):
    flag()
    first = ada.deck()
    assert first == ada.deck()
    assert not {job for job, _ in first} & {job for job, _ in ben.deck()}


def test_a_decision_is_told_to_the_client_and_undone_again(ada, api, flag):
    job_id = flag()
    reply = ada.decide(job_id, version_of(ada, job_id), "rejected:scam")
    assert reply.status_code == 200 and "data-decision" in reply.text
    assert api.status(job_id)["verdict"] == "rejected"
    undone = ada.post("/reviews/undo", form="/", headers=FRAGMENT)
    assert job_id in undone.text
    assert api.status(job_id)["verdict"] == "review"
    assert "undone, back to" in ada.get(f"/submissions/{job_id}").text


def test_a_late_decision_is_refused_and_names_who_was_faster(ada, ben, stack, flag):
    job_id = flag()
    version = version_of(ben, job_id)
    ada.decide(job_id, version, "approved")
    late = ben.decide(job_id, version, "rejected:scam")
    assert late.status_code == 409
    assert "decided this while you had it open" in late.text and "moderator-" in late.text


def test_what_somebody_holds_is_not_decided_by_another(ada, ben, flag):
    flag()
    job_id, version = ada.deck()[0]
    assert ben.decide(job_id, version, "approved").status_code == 409


def test_a_skipped_flag_goes_to_others_at_once_and_comes_back_last(ada, stack, flag):
    for _ in range(7):
        flag()
    job_id, _ = ada.deck()[0]
    ada.post(f"/reviews/{job_id}/skip", form="/", headers=FRAGMENT)
    assert job_id not in {job for job, _ in ada.deck()}
    assert job_id in {job for job, _ in person(stack).deck()}


def test_the_deck_is_topped_up_without_what_the_browser_has(ada, flag):
    for _ in range(8):
        flag()
    deck = ada.deck()
    assert len(deck) == 6
    known = ",".join(job for job, _ in deck[1:])
    reply = ada.decide(*deck[0], "approved", open=known)
    assert reply.text.count("data-case") == 1
    assert not any(job in reply.text for job, _ in deck)


@pytest.mark.parametrize("outcome", ["", "perhaps", "rejected:nonsense"])
def test_it_takes_known_verdicts_and_reasons_only(ada, flag, outcome):
    job_id = flag()
    assert ada.decide(job_id, version_of(ada, job_id), outcome).status_code == 422


def test_a_viewer_sees_but_does_not_decide(stack, flag, api):
    viewer = person(stack, "viewer")
    job_id = flag()
    page = viewer.get("/review")
    assert "As a viewer" in page.text and "data-decide" not in page.text
    assert viewer.decide(job_id, "1", "approved").status_code == 403
    assert api.status(job_id)["verdict"] == "review"


def test_without_javascript_a_form_leads_to_the_next_flag(ada, flag):
    flag()
    job_id, version = ada.deck()[0]
    reply = ada.post(f"/reviews/{job_id}/decision", form="/", outcome="approved", version=version)
    assert "/console/review?done=" in reply.url
    assert "Approved" in reply.text and "undo" in reply.text


def test_every_string_from_outside_stays_text(ada, flag):
    title = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    job_id = flag(title, user_id="<b>bold</b>", description="{{ 7 * 7 }} </textarea>")
    text = ada.get(f"/submissions/{job_id}").text
    assert "<script>alert" not in text and "<img src=x" not in text and "<b>bold" not in text
    assert "{{ 7 * 7 }}" in text
    listed = ada.get("/review?view=list").text
    assert "<script>alert" not in listed and "<img src=x" not in listed
