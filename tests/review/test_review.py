"""Review: who gets which flag, what a decision does, and what becomes of a late one."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.api import Api, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.stack import Stack


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


def test_decisions_are_undone_one_after_the_other(ada, api, flag):
    job_id = flag()
    ada.deck()
    for outcome in ("approved", "rejected:scam"):
        assert ada.decide(job_id, version_of(ada, job_id), outcome).status_code == 200
    for verdict in ("approved", "review"):
        ada.post("/reviews/undo", form="/", headers=FRAGMENT)
        assert api.status(job_id)["verdict"] == verdict


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
    assert "You are a viewer" in page.text and "data-decide" not in page.text
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


def alone(stack: Stack, new_client) -> tuple[Api, int]:
    """A client whose flags no other test has open, and its number for the filter."""
    name = f"alone-{uuid4().hex[:8]}"
    mine = Api(stack.url, new_client(name))
    return mine, stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]


def act(console: Console, job_id: str, verb: str, **fields: str):
    return console.post(f"/reviews/{job_id}/{verb}", form="/", headers=FRAGMENT, **fields)


def test_an_escalated_flag_is_anothers_to_decide(stack, new_client):
    mine, client = alone(stack, new_client)
    job_id = mine.decided(unique("review_a.jpg"), title="Hm")["job_id"]
    asker, other = person(stack), person(stack)
    ((_, version),) = asker.deck(f"?client={client}")
    assert act(asker, job_id, "escalation", version=version).status_code == 200
    assert asker.deck(f"?client={client}") == []
    assert job_id in asker.get(f"/review?view=list&filter=escalated&client={client}").text
    assert asker.decide(job_id, version, "approved").status_code == 403
    assert other.deck(f"?filter=escalated&client={client}") == [(job_id, version)]
    assert "asked for a second opinion" in other.get(f"/submissions/{job_id}").text
    assert other.decide(job_id, version, "approved").status_code == 200
    acts = stack.sql("SELECT action FROM audit WHERE subject = %s ORDER BY id", job_id)
    assert acts == [("escalate",), ("decide",)]


def test_an_administrator_decides_what_they_escalated_themselves(stack, new_client):
    mine, client = alone(stack, new_client)
    job_id = mine.decided(unique("review_a.jpg"), title="Hm")["job_id"]
    chief = person(stack, "administrator")
    ((_, version),) = chief.deck(f"?client={client}")
    act(chief, job_id, "escalation", version=version)
    assert chief.deck(f"?client={client}") == []
    assert chief.deck(f"?filter=escalated&client={client}") == [(job_id, version)]
    assert chief.decide(job_id, version, "approved").status_code == 200


def test_an_escalation_is_taken_back_by_who_asked(stack, new_client):
    mine, client = alone(stack, new_client)
    job_id = mine.decided(unique("review_a.jpg"), title="Hm")["job_id"]
    asker = person(stack)
    ((_, version),) = asker.deck(f"?client={client}")
    act(asker, job_id, "escalation", version=version)
    assert act(person(stack), job_id, "escalation", recall="1").status_code == 404
    assert job_id in act(asker, job_id, "escalation", recall="1").text
    assert asker.decide(job_id, version, "approved").status_code == 200


def test_blocking_rejects_and_makes_the_pictures_known_and_undo_takes_both_back(
    ada, api, flag, stack
):
    job_id = flag()
    known = (
        "SELECT count(*) FROM known_hash k JOIN image i ON i.id = k.image_id"
        " WHERE i.submission_id = %s AND k.action = 'block' AND k.removed_at IS NULL"
    )
    reply = ada.decide(job_id, version_of(ada, job_id), "rejected:nudity:block")
    assert reply.status_code == 200
    assert api.status(job_id)["verdict"] == "rejected"
    assert stack.sql(known, job_id)[0][0] >= 1
    ada.post("/reviews/undo", form="/", headers=FRAGMENT)
    assert api.status(job_id)["verdict"] == "review"
    assert stack.sql(known, job_id) == [(0,)]


def test_flags_are_narrowed_by_client_and_reason(stack, new_client):
    mine, client = alone(stack, new_client)
    hard = mine.decided(unique("review_a.jpg"), title="Hard")["job_id"]
    text = mine.decided(title="Watch", description="Wire transfer only, via WhatsApp")
    label = text["reasons"][0]["label"]
    someone = person(stack)
    by_label = someone.get(f"/review?view=list&client={client}&label={label}").text
    assert text["job_id"] in by_label and hard not in by_label
    assert {job for job, _ in someone.deck(f"?client={client}")} == {hard, text["job_id"]}
    assert someone.deck(f"?client={client}&label=hate") == []
    assert (
        "No such flags are free right now"
        in someone.get(f"/review?client={client}&label=hate").text
    )


@pytest.mark.parametrize("query", ["filter=nonsense", "client=1;DROP", "label=%27", "client=9" * 9])
def test_a_filter_that_is_none_is_left_out(ada, query):
    assert ada.get(f"/review?{query}").status_code == 200


@pytest.mark.parametrize("kind", ["quarantined", "appeals", "escalated", "debt", "priority"])
def test_every_filter_has_a_page(ada, kind):
    assert ada.get(f"/review?filter={kind}").status_code == 200
    assert ada.get(f"/review?view=list&filter={kind}").status_code == 200


def test_who_stays_away_longer_than_the_claim_loses_it(stack, new_client):
    mine, client = alone(stack, new_client)
    job_id = mine.decided(unique("review_a.jpg"), title="Away")["job_id"]
    away, here = person(stack), person(stack, name=f"here-{uuid4().hex[:6]}")
    ((_, version),) = away.deck(f"?client={client}")
    assert here.deck(f"?client={client}") == []
    stack.sql("UPDATE submission SET review_until = now() WHERE id = %s", job_id)
    assert here.deck(f"?client={client}") == [(job_id, version)]
    late = away.decide(job_id, version, "approved")
    assert late.status_code == 409 and "here-" in late.text and "has this open" in late.text


def test_without_javascript_escalating_leads_on_and_offers_the_way_back(ada, flag):
    job_id = flag()
    version = version_of(ada, job_id)
    reply = ada.post(f"/reviews/{job_id}/escalation", form="/", version=version)
    assert "another moderator will decide" in reply.text
    assert ada.post(f"/reviews/{job_id}/escalation", form="/", recall="1").status_code == 200
